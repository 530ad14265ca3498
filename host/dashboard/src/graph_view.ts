/** The graph of the job: a box for each task, in it its vertices with their live figures, between them the edges; and the same as a table. */
import type { App } from "./app.ts";
import type { Job, Vertex } from "./contract.ts";
import { type Child, h } from "./dom.ts";
import { bytes, count, digest, duration, percent, rate, short } from "./format.ts";
import { edgesBetweenTasks, type Task, tasksOf, taskOf } from "./graph.ts";
import { type Direction, type Layout, layoutOf, shapeOf } from "./layout.ts";
import { type Column, empty, largestShare, scrolling, sharesBar, sharesText, table } from "./parts.ts";
import { vertexAddress } from "./route.ts";
import { isUpgradable, openUpgrade } from "./upgrade.ts";
import { vertexView } from "./vertex_view.ts";

/** The section. */
export function graphView(app: App, job: Job): Child[] {
  const selected = job.vertices.find((vertex) => vertex.id === app.route.vertex);
  return [
    h("section", { key: "graph", "aria-labelledby": "graph-heading" },
      h("div", { class: "heading" }, h("h2", { id: "graph-heading" }, "Graph"), legend()),
      picture(app, job)),
    app.route.vertex !== null && (selected ? vertexView(app, job, selected) : empty(`There is no step ${app.route.vertex}.`)),
    h("section", { key: "steps", "aria-labelledby": "steps-heading" }, h("h2", { id: "steps-heading" }, "Steps"), steps(app, job)),
  ];
}

function legend(): Child {
  const names = ["busy", "backpressured", "idle"];
  return h("ul", { class: "legend" }, names.map((name) => h("li", { key: name }, h("span", { class: `swatch ${name}`, "aria-hidden": "true" }), name)));
}

let laidOut: { shape: string; layout: Layout } | null = null;

function layoutFor(job: Job): Layout {
  const direction: Direction = matchMedia("(max-width: 50rem)").matches ? "column" : "layers";
  const shape = shapeOf(job, direction);
  if (laidOut?.shape !== shape) laidOut = { shape, layout: layoutOf(job, direction) };
  return laidOut.layout;
}

function picture(app: App, job: Job): Child {
  const layout = layoutFor(job);
  const tasks = new Map(tasksOf(job).map((task) => [task.id, task]));
  const size = { width: `${layout.width}px`, height: `${layout.height}px` };
  return scrolling("Graph, wider than the page",
    h("div", { class: "graph", style: size, role: "group", "aria-label": "Graph of the job; the table of the steps below says the same" },
      edges(layout),
      layout.lines.map((line) => h("span", { key: `${line.from} ${line.output} ${line.to} ${line.by}`, class: "edge-label", "aria-hidden": "true", style: place(line) }, edgeText(line.output, line.by).split(" · ").map((part) => h("span", { key: part }, part)))),
      layout.boxes.map((box) => {
        const task = tasks.get(box.task);
        const style = { ...place(box), width: `${box.width}px`, height: `${box.height}px` };
        return task && taskBox(app, job, task, style);
      })));
}

/** How an edge deals records out, and which output it is of where that is not the only one. */
function edgeText(output: string | null | undefined, by: string): string {
  return output && !["out", "main"].includes(output) ? `${output} · ${by}` : by;
}

function place({ x, y }: { x: number; y: number }): Record<string, string> {
  return { left: `${x}px`, top: `${y}px` };
}

function edges(layout: Layout): Child {
  const arrow = h("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 2, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto" }, h("path", { d: "M0,0 L8,4 L0,8 z" }));
  return h("svg", { width: layout.width, height: layout.height, "aria-hidden": "true", focusable: "false" },
    h("defs", null, arrow),
    layout.lines.map((line) => h("path", { class: "edge", d: line.path, "marker-end": "url(#arrow)" })));
}

function taskBox(app: App, job: Job, task: Task, style: Record<string, string>): Child {
  const figures = app.history.now.vertices.get(task.id);
  const shares = figures?.shares ?? null;
  const hot = figures?.hot_subtask;
  const name = task.vertices.length > 1 ? `Task of ${task.vertices.length} chained steps` : "Task";
  return h("div", { key: task.id, class: `task ${largestShare(shares)}`, style, role: "group", "aria-label": `${name}: ${sharesText(shares)}${hot ? `, subtask ${hot.index} busy ${percent(hot.busy)}` : ""}` },
    h("div", { class: "task-head", "aria-hidden": "true" },
      sharesBar(shares),
      h("p", { class: "shares" },
        shares
          ? (["busy", "backpressured", "idle"] as const).map((part) => h("span", { key: part, class: part, title: part }, percent(shares[part]), " ", part === "backpressured" ? "backpr." : part))
          : h("span", null, "not known yet")),
      hot && h("p", { class: "hot" }, `subtask ${hot.index}: ${percent(hot.busy)} busy`)),
    h("ul", { class: "chain" }, task.vertices.map((vertex, index) => h("li", { key: vertex.id, class: index > 0 ? "chained" : null }, card(app, job, vertex)))));
}

/** A vertex: a link to its details. A component that is dropped on it is offered as its next version. */
function card(app: App, job: Job, vertex: Vertex): Child {
  const figures = app.history.now.vertices.get(vertex.id);
  const marks = marksOf(job, vertex);
  const takes = isUpgradable(app, vertex);
  const over = (on: boolean) => (event: Event) => {
    if (!takes) return;
    event.preventDefault();
    (event.currentTarget as Element).classList.toggle("dropping", on);
  };
  const drop = (event: Event) => {
    over(false)(event);
    const file = (event as DragEvent).dataTransfer?.files[0];
    if (takes && file) openUpgrade(app, vertex.id, file);
  };
  return h("a", {
    class: "vertex", href: vertexAddress(vertex.id), "aria-current": app.route.vertex === vertex.id ? "true" : null,
    ondragenter: over(true), ondragover: over(true), ondragleave: over(false), ondrop: drop,
  },
    h("span", { class: "name" }, h("span", { class: "id" }, vertex.id), h("span", { class: "parallelism" }, h("span", { class: "visually-hidden" }, "parallelism "), "×", vertex.parallelism)),
    h("span", { class: "what" }, whatItIs(app, vertex)),
    h("span", { class: "rates" },
      vertex.kind !== "source" && h("span", null, rate(figures?.in_rate), h("span", { class: "dim" }, " in")),
      vertex.kind !== "sink" && h("span", null, rate(figures?.out_rate), h("span", { class: "dim" }, " out"))),
    h("span", { class: "behind" }, behindText(app, vertex)),
    h("span", { class: "marks" }, marks.map(({ level, text }) => h("span", { key: text.replace(/[\d.,]+/g, ""), class: `mark ${level}` }, text))));
}

/** In two words or three what kind of step it is. */
export function whatItIs(app: App, vertex: Vertex): string {
  return [vertex.kind ?? "step", vertex.connector ?? operatorName(app, vertex)].filter(Boolean).join(" · ");
}

/** An operator's name and version: as it runs, or as the job began with it where nothing has taken its place since. */
export function operatorName(app: App, vertex: Vertex): string | null {
  if (vertex.plugin?.name) return `${vertex.plugin.name} ${vertex.plugin.version ?? ""}`.trim();
  const [, name = null, begun = null] = /^(.*?)(?: \(([^)]*)\))?$/.exec(app.configOf(vertex.id)?.runs ?? "") ?? [];
  const replaced = vertex.digest && begun && begun !== "native" && !vertex.digest.startsWith(begun);
  return replaced ? digest(vertex.digest) : name || null;
}

/** What is wrong with a vertex or waits there, what is worst first; the picture has room for two. */
function marksOf(job: Job, vertex: Vertex): { level: string; text: string }[] {
  const outbox = job.outboxes?.find((one) => one.sink === vertex.id);
  const marks: [string, string | false | null | undefined][] = [
    ["bad", vertex.trouble && "in trouble"],
    ["bad", outbox?.is_full && "outbox full"],
    ["bad", vertex.quarantined > 0 && `${short(vertex.quarantined)} quarantined`],
    ["warn", (outbox?.unpublished_bytes ?? 0) > 0 && `${bytes(outbox?.unpublished_bytes)} unpublished`],
    ["warn", (vertex.late ?? 0) > 0 && `${short(vertex.late)} late`],
    ["warn", (vertex.skipped ?? 0) > 0 && `${short(vertex.skipped)} skipped`],
  ];
  return marks.flatMap(([level, text]) => (text ? [{ level, text }] : [])).slice(0, 2);
}

/** How far a vertex is behind: the records that a source has not read, and event time. */
function behindText(app: App, vertex: Vertex): string {
  const behind = watermarkLag(app, vertex);
  return [vertex.lag?.total != null && `lag ${lagText(vertex)}`, behind !== null && `${duration(behind)} behind`].filter(Boolean).join(" · ");
}

/** How far event time is behind the clock, ms. */
export function watermarkLag(app: App, vertex: Vertex): number | null {
  return vertex.watermark === undefined ? null : Math.max(0, app.now_ms() - vertex.watermark);
}

/** What a source has not read yet. */
export function lagText(vertex: Vertex): string {
  const { total, unit } = vertex.lag ?? {};
  if (total == null) return "–";
  return unit === "bytes" ? bytes(total) : `${short(total)} ${unit ?? ""}`.trim();
}

/** The picture in words. */
function steps(app: App, job: Job): Child {
  const figures = (vertex: Vertex) => app.history.now.vertices.get(vertex.id);
  const shares = (vertex: Vertex) => app.history.now.vertices.get(taskOf(vertex))?.shares;
  const crossing = new Set(edgesBetweenTasks(job));
  const goesTo = (vertex: Vertex) =>
    (job.edges ?? []).filter(({ from }) => from === vertex.id).map((edge) => `${edge.to} (${crossing.has(edge) ? edgeText(edge.output, edge.by) : edgeText(edge.output, "chained")})`).join(", ");
  const columns: Column<Vertex>[] = [
    { name: "Step", cell: (vertex) => h("a", { href: vertexAddress(vertex.id) }, vertex.id) },
    { name: "Kind", wide: true, cell: (vertex) => whatItIs(app, vertex) },
    { name: "Parallelism", number: true, cell: (vertex) => vertex.parallelism },
    { name: "In", number: true, cell: (vertex) => (vertex.kind === "source" ? "–" : rate(figures(vertex)?.in_rate)) },
    { name: "Out", number: true, cell: (vertex) => (vertex.kind === "sink" ? "–" : rate(figures(vertex)?.out_rate)) },
    { name: "Busy", number: true, cell: (vertex) => percent(shares(vertex)?.busy) },
    { name: "Backpressured", number: true, cell: (vertex) => percent(shares(vertex)?.backpressured) },
    { name: "Idle", number: true, cell: (vertex) => percent(shares(vertex)?.idle) },
    { name: "Watermark lag", number: true, cell: (vertex) => duration(watermarkLag(app, vertex)) },
    { name: "Source lag", number: true, cell: lagText },
    { name: "Quarantined", number: true, cell: (vertex) => count(vertex.quarantined) },
    { name: "State", number: true, cell: (vertex) => (vertex.state_bytes ? bytes(vertex.state_bytes) : "–") },
    { name: "Goes to", wide: true, cell: goesTo },
  ];
  return table("The steps of the job and what they do now; shares are those of the task that a step is chained into", columns, job.vertices, (vertex) => vertex.id);
}

