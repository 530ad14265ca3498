/** The details of one vertex: figures, subtasks, plugin, connector, its own metrics, and how they went over the last minutes. */
import { openRescale } from "./actions.ts";
import type { App } from "./app.ts";
import { drawChart, type Series } from "./charts.ts";
import type { Job, Lag, Outbox, Subtask, Vertex } from "./contract.ts";
import { type Child, h, owned } from "./dom.ts";
import { bytes, clock, count, digest, duration, percent, plural, rate, short, valueText } from "./format.ts";
import { taskOf } from "./graph.ts";
import { lagText, operatorName, watermarkLag, whatItIs } from "./graph_view.ts";
import { flattened } from "./config_view.ts";
import { type Column, empty, facts, message, sharesText, table } from "./parts.ts";
import type { Drawn, SubtaskFigures } from "./rates.ts";
import { sectionAddress } from "./route.ts";
import { isUpgradable, openUpgrade } from "./upgrade.ts";

/** The section; its heading takes the focus when a vertex is chosen. */
export function vertexView(app: App, job: Job, vertex: Vertex): Child {
  const outbox = job.outboxes?.find((one) => one.sink === vertex.id);
  return h("section", { key: `vertex ${vertex.id}`, class: "panel", "aria-labelledby": "vertex-heading" },
    h("div", { class: "heading" },
      h("h2", { id: "vertex-heading", tabindex: -1 }, vertex.id, " ", h("span", { class: "dim" }, whatItIs(app, vertex))),
      h("div", { class: "buttons" },
        h("button", { type: "button", disabled: app.ended !== null, onclick: () => openRescale(app, vertex.id) }, "Rescale …"),
        isUpgradable(app, vertex) &&
          h("button", { type: "button", disabled: app.ended !== null, onclick: () => openUpgrade(app, vertex.id) }, "Upgrade …"),
        h("a", { class: "button", href: sectionAddress("graph") }, "Close"))),
    vertex.trouble && h("div", { class: "notice failed" }, message(vertex.trouble, null)),
    h("div", { class: "columns" },
      h("div", null, h("h3", null, "Figures"), figuresOf(app, job, vertex)),
      isUpgradable(app, vertex) && h("div", null, h("h3", null, "Plugin"), pluginOf(app, vertex)),
      (vertex.lag || outbox || vertex.connector) && h("div", null, h("h3", null, "Connector"), connectorOf(vertex, outbox, app.history.now.vertices.get(vertex.id)?.lag_rate ?? null))),
    charts(app, vertex),
    h("h3", null, "Subtasks"),
    subtasks(app, vertex),
    vertex.lag?.splits && vertex.lag.splits.length > 0 && splits(vertex));
}

function figuresOf(app: App, job: Job, vertex: Vertex): Child {
  const now = app.history.now.vertices.get(vertex.id);
  const task = taskOf(vertex);
  const shares = app.history.now.vertices.get(task)?.shares ?? null;
  const behind = watermarkLag(app, vertex);
  const own = Object.entries(vertex.metrics ?? {});
  const together = job.vertices.filter((other) => taskOf(other) === task && other.id !== vertex.id).map(({ id }) => id);
  return facts([
    ["Records in", vertex.kind !== "source" && `${count(vertex.records_in)} (${rate(now?.in_rate)})`],
    ["Records out", vertex.kind !== "sink" && `${count(vertex.records_out)} (${rate(now?.out_rate)})`],
    [together.length > 0 ? "Its task" : "Its time", sharesText(shares)],
    ["Chained with", together.length > 0 && together.join(", ")],
    ["Time of a batch", now?.batch_ms != null && duration(now.batch_ms)],
    ["Watermark", behind !== null && `${clock(vertex.watermark, app.now_ms())}, ${duration(behind)} behind the clock`],
    ["Quarantined", vertex.quarantined > 0 && plural(vertex.quarantined, "record")],
    ["Late", (vertex.late ?? 0) > 0 && plural(vertex.late ?? 0, "record")],
    ["Skipped", (vertex.skipped ?? 0) > 0 && plural(vertex.skipped ?? 0, "record")],
    ["Ahead of the clock", (vertex.ahead ?? 0) > 0 && plural(vertex.ahead ?? 0, "record")],
    ["Open windows", (vertex.open_windows ?? 0) > 0 && count(vertex.open_windows)],
    ["State", (vertex.state_bytes ?? 0) > 0 && bytes(vertex.state_bytes)],
    ...own.map(([name, value]): [string, Child] => [`Own metric ${name}`, count(value)]),
  ]);
}

function pluginOf(app: App, vertex: Vertex): Child {
  const plugin = vertex.plugin;
  if (!plugin) return null;
  const limits = Object.entries(plugin.limits ?? {}).filter(([, times]) => times > 0);
  const whole = vertex.digest ?? plugin.digest ?? vertex.reference?.component ?? null;
  const allowed = flattened(app.configOf(vertex.id)?.settings?.["limits"]);
  return facts([
    ["Name", operatorName(app, vertex)],
    ["Language", plugin.language],
    ["Digest", whole && h("code", { title: whole }, digest(whole))],
    ["Reference", vertex.reference && h("code", null, vertex.reference.named)],
    ["Manifest", vertex.reference?.manifest && h("code", { title: vertex.reference.manifest }, digest(vertex.reference.manifest))],
    ["Memory", plugin.memory_bytes != null && bytes(plugin.memory_bytes)],
    ["Time in the guest", plugin.time_s != null && duration(plugin.time_s * 1000)],
    ["Fuel", plugin.fuel !== null && short(plugin.fuel)],
    ["Instances recycled", plugin.instances_recycled > 0 && count(plugin.instances_recycled)],
    ["Limits", allowed.length > 0 && h("details", null, h("summary", null, plural(allowed.length, "limit")), facts(allowed.map(([name, value]) => [name, valueText(value)])))],
    ["Limits reached", limits.length === 0 ? "none" : limits.map(([name, times]) => `${name}: ${plural(times, "time")}`).join(", ")],
  ]);
}

/** Whether a lag grows, or when it will be made up for. */
function lagTrend({ total, unit }: Lag, lag_rate: number | null): string {
  if (lag_rate === null || total === null) return "";
  const by = (value: number) => (unit === "bytes" ? `${bytes(value)}/s` : rate(value));
  if (lag_rate > 0) return `, growing by ${by(lag_rate)}`;
  return lag_rate < 0 ? `, made up for in ${duration((total / -lag_rate) * 1000)}` : "";
}

function connectorOf(vertex: Vertex, outbox: Outbox | undefined, lag_rate: number | null): Child {
  const { lag } = vertex;
  return h("div", null,
    facts([
      ["Kind", vertex.connector],
      ["Lag", lag?.total != null && [lagText(vertex), lagTrend(lag, lag_rate)]],
      ["Largest lag", lag?.largest != null && `${count(lag.largest)} ${lag.unit ?? ""} of ${lag.largest_split ?? "one split"}`],
      ["Splits of unknown lag", lag && lag.unknown_splits > 0 && count(lag.unknown_splits)],
      ["Unpublished", outbox && `${bytes(outbox.unpublished_bytes)} of ${plural(outbox.unpublished_checkpoints, "checkpoint")}`],
      ["Oldest unpublished", outbox?.oldest_unpublished != null && `checkpoint ${outbox.oldest_unpublished}${outbox.oldest_unpublished_age_s != null ? `, ${duration(outbox.oldest_unpublished_age_s * 1000)} old` : ""}`],
      ["Room", outbox && (outbox.is_full ? "full: the sink takes nothing more" : "there is room")],
      ["Retries", outbox && (outbox.retries ? plural(outbox.retries, "try", "tries") : "none: the target is reached")],
    ]),
    outbox?.last_error && h("div", { class: "notice failed" }, message(outbox.last_error.message, null), h("p", { class: "dim" }, `${duration(outbox.last_error.age_s * 1000)} ago`)));
}

function charts(app: App, vertex: Vertex): Child {
  const points = app.history.points;
  const times_s = points.map(({ at_s }) => at_s);
  const of = (id: string, value: (figures: Drawn) => number | null | undefined) =>
    points.map(({ vertices }) => { const figures = vertices.get(id); return figures ? (value(figures) ?? null) : null; });
  const task = taskOf(vertex);
  const rates: Series[] = [];
  if (vertex.kind !== "source") rates.push({ name: "in", color: "--series-in", values: of(vertex.id, (figures) => figures.in_rate) });
  if (vertex.kind !== "sink") rates.push({ name: "out", color: "--series-out", values: of(vertex.id, (figures) => figures.out_rate) });
  const shares = (["busy", "backpressured", "idle"] as const).map((name): Series => ({ name, color: `--${name}`, values: of(task, (figures) => figures.shares?.[name]) }));
  return h("div", { class: "charts" },
    figure("Records by second", times_s, rates, (value) => short(value)),
    figure(task === vertex.id ? "Time of its task" : `Time of its task, ${task}`, times_s, shares, (value) => percent(value), 1));
}

function figure(title: string, times_s: number[], series: Series[], format: (value: number) => string, most?: number): Child {
  const last = (values: (number | null)[]) => values.at(-1) ?? null;
  const said = series.map(({ name, values }) => `${name} ${last(values) === null ? "–" : format(last(values) ?? 0)}`).join(", ");
  const chart = { times_s, series, format, ...(most === undefined ? {} : { most }) };
  return h("figure", { key: title },
    h("figcaption", null, h("span", { class: "title" }, title), h("span", { class: "dim" }, ", the last five minutes at most"),
      h("ul", { class: "legend" }, series.map(({ name, values }) =>
        h("li", { key: name }, h("span", { class: `swatch ${name}`, "aria-hidden": "true" }), `${name} ${last(values) === null ? "–" : format(last(values) ?? 0)}`)))),
    owned("div", { class: "chart", role: "img", "aria-label": `${title}: now ${said}` }, (element) => drawChart(element, chart)));
}

function subtasks(app: App, vertex: Vertex): Child {
  if (!vertex.subtasks || vertex.subtasks.length === 0) return empty("This weir does not tell subtasks apart.");
  const now = app.history.now.vertices.get(vertex.id)?.subtasks;
  const of = (subtask: Subtask): SubtaskFigures | undefined => now?.get(subtask.index);
  const first = vertex.subtasks.some(({ busy_s }) => busy_s !== null);
  const all: Column<Subtask>[] = [
    { name: "Subtask", cell: ({ index }) => index },
    { name: "Records in", number: true, cell: ({ records_in }) => count(records_in) },
    { name: "In", number: true, cell: (subtask) => rate(of(subtask)?.in_rate) },
    { name: "Bytes in", number: true, cell: ({ bytes_in }) => bytes(bytes_in) },
    { name: "Records out", number: true, cell: ({ records_out }) => count(records_out) },
    { name: "Out", number: true, cell: (subtask) => rate(of(subtask)?.out_rate) },
    { name: "Bytes out", number: true, cell: ({ bytes_out }) => bytes(bytes_out) },
    { name: "Batch", number: true, cell: (subtask) => duration(of(subtask)?.batch_ms) },
  ];
  // A source is given nothing, and a sink gives nothing on.
  const without: string[] = { source: ["Records in", "In", "Bytes in"], sink: ["Records out", "Out", "Bytes out"], operator: [] }[vertex.kind ?? "operator"];
  const columns = all.filter(({ name }) => !without.includes(name));
  const shares: Column<Subtask>[] = [
    { name: "Busy", number: true, cell: (subtask) => percent(of(subtask)?.shares?.busy) },
    { name: "Backpressured", number: true, cell: (subtask) => percent(of(subtask)?.shares?.backpressured) },
    { name: "Idle", number: true, cell: (subtask) => percent(of(subtask)?.shares?.idle) },
  ];
  return table(`Subtasks of ${vertex.id}${first ? "" : `; their shares are those of ${taskOf(vertex)}`}`, first ? [...columns, ...shares] : columns, vertex.subtasks, ({ index }) => String(index));
}

function splits(vertex: Vertex): Child {
  const all = vertex.lag?.splits ?? [];
  const shown = all.slice(0, 20);
  const unit = vertex.lag?.unit ?? "";
  const one: Column<{ split: string; lag: number }>[] = [
    { name: "Split", cell: ({ split }) => split },
    { name: `Lag in ${unit}`, number: true, cell: ({ lag }) => count(lag) },
  ];
  return [h("h3", null, "Splits"), table(`The ${plural(shown.length, "split")} that lag most`, one, shown, ({ split }) => split)];
}

