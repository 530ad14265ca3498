/** Small time series, by uPlot. What they show stands as text beside them: the canvas is a picture with a name. */
import uPlot from "uplot";

/** One line of a chart. */
export interface Series {
  name: string;
  /** The custom property of the style sheet that has its colour. */
  color: string;
  /** For each point in time; `null` leaves a gap. */
  values: (number | null)[];
}

export interface Chart {
  times_s: number[];
  series: Series[];
  /** The top of the scale, where it does not follow from the values. */
  most?: number;
  /** How a value is written at the axis. */
  format(value: number): string;
}

const HEIGHT = 140;
const drawn = new WeakMap<HTMLElement, { plot: uPlot; scheme: string }>();

/** Draws the chart into `element`, or goes on with the one that is there. */
export function drawChart(element: HTMLElement, chart: Chart): void {
  const data: uPlot.AlignedData = [chart.times_s, ...chart.series.map(({ values }) => values)];
  const scheme = colorOf("--text", element);
  const before = drawn.get(element);
  if (before?.scheme === scheme) {
    const width = element.clientWidth;
    if (width > 0 && width !== before.plot.width) before.plot.setSize({ width, height: HEIGHT });
    before.plot.setData(data);
    return;
  }
  before?.plot.destroy();
  const plot = new uPlot(options(element, chart), data, element);
  drawn.set(element, { plot, scheme });
}

function options(element: HTMLElement, chart: Chart): uPlot.Options {
  const [dim, grid] = [colorOf("--dim", element), colorOf("--line", element)];
  const font = "11px system-ui, sans-serif";
  const axis: uPlot.Axis = { stroke: dim, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  const two = (part: number) => String(part).padStart(2, "0");
  const time = (at_s: number) => {
    const at = new Date(at_s * 1000);
    return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  };
  return {
    width: element.clientWidth || 320,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 28, 0, 0],
    scales: { y: { range: (_plot, _least, most) => [0, chart.most ?? Math.max(1, (most ?? 0) * 1.15)] } },
    axes: [
      { ...axis, space: 70, size: 24, values: (_plot, at) => at.map(time) },
      { ...axis, size: 58, space: 34, values: (_plot, at) => at.map(chart.format) },
    ],
    series: [{}, ...chart.series.map(({ name, color }): uPlot.Series => ({ label: name, stroke: colorOf(color, element), width: 1.75, points: { show: false } }))],
  };
}

/** What a custom property comes to in the scheme that is shown: the canvas knows no style sheet. */
function colorOf(property: string, element: HTMLElement): string {
  element.style.setProperty("color", `var(${property})`);
  const color = getComputedStyle(element).color;
  element.style.removeProperty("color");
  return color;
}
