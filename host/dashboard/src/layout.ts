/** Where the boxes of the graph stand and how its edges run: dagre's layered layout over tasks, or one column where the page is narrow. Pure. */
import { Graph, layout } from "@dagrejs/dagre";
import type { Job } from "./contract.ts";
import { edgesBetweenTasks, taskOf, tasksOf } from "./graph.ts";

/** Of one task's box, px. */
export interface Box {
  task: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Of one edge: its path in SVG's words, and where its label stands. */
export interface Line {
  from: string;
  to: string;
  by: string;
  output: string | null;
  path: string;
  x: number;
  y: number;
}

export interface Layout {
  width: number;
  height: number;
  boxes: Box[];
  lines: Line[];
}

/** Layer by layer from left to right, or one below the other. */
export type Direction = "layers" | "column";

/** Sizes that the style sheet has as well, px. */
export const SIZES = { width: 244, head: 56, vertex: 112, gap: 18, padding: 8, margin: 12 };

/** What the layout depends on: while it is the same, so is the layout. */
export function shapeOf(job: Job, direction: Direction): string {
  return JSON.stringify([direction, job.vertices.map((vertex) => [vertex.id, taskOf(vertex)]), job.edges ?? []]);
}

/** The height of a box with so many vertices, px. */
export function boxHeight(vertices: number): number {
  return SIZES.head + vertices * SIZES.vertex + (vertices - 1) * SIZES.gap + SIZES.padding;
}

/** Lays the graph out. */
export function layoutOf(job: Job, direction: Direction): Layout {
  const layers = inLayers(job);
  return direction === "layers" ? layers : inColumn(job, layers);
}

function inLayers(job: Job): Layout {
  const graph = new Graph({ multigraph: true });
  graph.setGraph({ rankdir: "LR", nodesep: 28, ranksep: 116, marginx: SIZES.margin, marginy: SIZES.margin });
  graph.setDefaultEdgeLabel(() => ({}));
  const tasks = tasksOf(job);
  for (const { id, vertices } of tasks) graph.setNode(id, { width: SIZES.width, height: boxHeight(vertices.length) });
  const task = new Map(job.vertices.map((vertex) => [vertex.id, taskOf(vertex)]));
  const edges = edgesBetweenTasks(job);
  edges.forEach((edge, index) => graph.setEdge(task.get(edge.from) ?? "", task.get(edge.to) ?? "", {}, String(index)));
  layout(graph);
  const boxes = tasks.map(({ id }): Box => {
    const { x, y, width, height } = graph.node(id) as { x: number; y: number; width: number; height: number };
    return { task: id, x: Math.round(x - width / 2), y: Math.round(y - height / 2), width, height };
  });
  const box = new Map(boxes.map((of) => [of.task, of]));
  const lines = edges.map((edge, index): Line => {
    const points = (graph.edge(task.get(edge.from) ?? "", task.get(edge.to) ?? "", String(index)) as { points: Point[] }).points;
    const [from, to] = [edge.from, edge.to].map((id): End | null => {
      const of = box.get(task.get(id) ?? "");
      const place = tasks.find((one) => one.id === task.get(id))?.vertices.findIndex((vertex) => vertex.id === id) ?? 0;
      return of ? { box: of, row: of.y + SIZES.head + place * (SIZES.vertex + SIZES.gap) + SIZES.vertex / 2 } : null;
    });
    return { from: edge.from, to: edge.to, by: edge.by, output: edge.output ?? null, ...curve(ends(points, from ?? null, to ?? null)) };
  });
  const size = graph.graph() as { width?: number; height?: number };
  return { width: Math.ceil(size.width ?? 0), height: Math.ceil(size.height ?? 0), boxes, lines };
}

interface Point {
  x: number;
  y: number;
}

/** Where an edge begins or ends: at which box, and at which height of it its vertex stands. */
interface End {
  box: Box;
  row: number;
}

/** The points of dagre's route between the boxes, from the vertex that sends to the one that is sent to. */
function ends(points: Point[], from: End | null, to: End | null): Point[] {
  if (!from || !to) return points;
  // A route between neighbours has one point in the middle, which the curve does without.
  const between = points.length > 3 ? points.slice(1, -1) : [];
  return [{ x: from.box.x + from.box.width, y: from.row }, ...between, { x: to.box.x - ARROW, y: to.row }];
}

/** A line through the points that leaves and arrives straight on, and its middle. */
function curve(points: Point[]): { path: string; x: number; y: number } {
  const [first, ...rest] = points;
  if (!first) return { path: "", x: 0, y: 0 };
  let path = `M${at(first)}`;
  let from = first;
  for (const to of rest) {
    const x = (from.x + to.x) / 2;
    path += ` C${at({ x, y: from.y })} ${at({ x, y: to.y })} ${at(to)}`;
    from = to;
  }
  const middle = points.length % 2 === 1 ? points[(points.length - 1) / 2] : between(points[points.length / 2 - 1], points[points.length / 2]);
  return { path, x: Math.round(middle?.x ?? 0), y: Math.round(middle?.y ?? 0) };
}

/** The same boxes one below the other, from the sources down; edges that pass a box run beside it. */
function inColumn(job: Job, layers: Layout): Layout {
  const tasks = new Map(job.vertices.map((vertex) => [vertex.id, taskOf(vertex)]));
  const order = [...layers.boxes].sort((a, b) => a.x - b.x || a.y - b.y);
  let y = SIZES.margin;
  const boxes = order.map((box) => {
    const placed = { ...box, x: LANES, y };
    y += box.height + COLUMN_GAP;
    return placed;
  });
  const place = (vertex: string) => boxes.findIndex((box) => box.task === tasks.get(vertex));
  let lane = 0;
  const lines = layers.lines.map((line): Line => {
    const [above, below] = [boxes[place(line.from)], boxes[place(line.to)]];
    if (!above || !below) return line;
    const x = above.x + above.width / 2;
    if (place(line.to) === place(line.from) + 1) {
      const [from, to] = [above.y + above.height, below.y - ARROW];
      return { ...line, path: `M${at({ x, y: from })} L${at({ x, y: to })}`, x, y: (from + to) / 2 };
    }
    const [from, to] = [{ x: above.x, y: above.y + above.height - 24 }, { x: below.x - ARROW, y: below.y + 24 }];
    const aside = LANES - 26 - 14 * (lane++ % 3);
    const path = `M${at(from)} C${at({ x: aside, y: from.y })} ${at({ x: aside, y: from.y + 20 })} ${at({ x: aside, y: from.y + 40 })} L${at({ x: aside, y: to.y - 40 })} C${at({ x: aside, y: to.y - 20 })} ${at({ x: aside, y: to.y })} ${at(to)}`;
    return { ...line, path, x: Math.max(aside, 40), y: (from.y + to.y) / 2 };
  });
  return { width: LANES + SIZES.width + SIZES.margin / 2, height: y - COLUMN_GAP + SIZES.margin, boxes, lines };
}

/** Room for the head of an arrow in front of a box, px. */
const ARROW = 12;
/** Room beside a column, for what passes boxes, px. */
const LANES = 76;
/** Between the boxes of a column, px. */
const COLUMN_GAP = 52;

function between(a: Point | undefined, b: Point | undefined): Point {
  return { x: ((a?.x ?? 0) + (b?.x ?? 0)) / 2, y: ((a?.y ?? 0) + (b?.y ?? 0)) / 2 };
}

function at({ x, y }: Point): string {
  return `${Math.round(x * 10) / 10},${Math.round(y * 10) / 10}`;
}
