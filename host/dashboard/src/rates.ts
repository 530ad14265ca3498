/**
 * What happens now, of counters that only grow: two documents that are some seconds apart give rates and shares. Pure.
 *
 * Invariant: figures are only made of documents of one process, so a counter never seems to run backwards.
 */
import type { Job, Subtask, Vertex } from "./contract.ts";

/** How a task spends its time; together they are 1. */
export interface Shares {
  busy: number;
  backpressured: number;
  idle: number;
}

/** What one subtask does now; `null` where it is not known yet. */
export interface SubtaskFigures {
  in_rate: number | null;
  out_rate: number | null;
  bytes_in_rate: number | null;
  bytes_out_rate: number | null;
  /** Of one batch, on average, ms. */
  batch_ms: number | null;
  shares: Shares | null;
}

/** What one vertex does now. The shares are those of its task, at the task's first vertex. */
export interface VertexFigures {
  in_rate: number | null;
  out_rate: number | null;
  batch_ms: number | null;
  /** By how much a source lags more with each second; negative where it catches up. */
  lag_rate: number | null;
  shares: Shares | null;
  /** The subtask that is busiest, where one of several is much busier than they are together. */
  hot_subtask: { index: number; busy: number } | null;
  subtasks: Map<number, SubtaskFigures>;
}

/** What the whole job does now. */
export interface Figures {
  in_rate: number | null;
  out_rate: number | null;
  /** Processors in use, 1 is a whole one. */
  cpu: number | null;
  vertices: Map<string, VertexFigures>;
}

/** A point of the small time series. */
export interface Point {
  /** Seconds since 1970, by the reader's clock. */
  at_s: number;
  vertices: Map<string, Drawn>;
}

/** What the time series show of a vertex: little, as it is kept for minutes. */
export type Drawn = Pick<VertexFigures, "in_rate" | "out_rate" | "shares">;

/** A subtask is hot where it is busier by this than all of them together. */
const HOT_BEYOND = 0.3;
/** Figures are of about so many seconds. */
const WINDOW_S = 5;
/** Points that are kept for the time series: five minutes. */
const POINTS = 300;

/** The last documents of a process, and what was made of them. */
export class History {
  #documents: Job[] = [];
  points: Point[] = [];
  now: Figures = emptyFigures();

  /** Takes the next document, at the reader's time `at_s`. */
  add(job: Job, at_s: number): void {
    const newest = this.#documents.at(-1);
    if (newest && (newest.pid !== job.pid || job.uptime_s < newest.uptime_s)) {
      this.#documents = [];
      this.points = [];
    }
    if (newest && job.uptime_s === newest.uptime_s && newest.pid === job.pid) this.#documents.pop();
    this.#documents.push(job);
    const beyond = (document: Job | undefined) => document !== undefined && job.uptime_s - document.uptime_s >= WINDOW_S;
    while (beyond(this.#documents[1])) this.#documents.shift();
    const oldest = this.#documents[0];
    this.now = oldest && oldest !== job ? figures(oldest, job) : emptyFigures();
    const drawn = [...this.now.vertices].map(([id, { in_rate, out_rate, shares }]): [string, Drawn] => [id, { in_rate, out_rate, shares }]);
    if (drawn.length > 0) this.points.push({ at_s, vertices: new Map(drawn) });
    if (this.points.length > POINTS) this.points.shift();
  }
}

/** What happened between two documents of one process. */
export function figures(older: Job, newer: Job): Figures {
  const seconds = newer.uptime_s - older.uptime_s;
  const before = new Map(older.vertices.map((vertex) => [vertex.id, vertex]));
  const vertices = new Map(newer.vertices.map((vertex) => [vertex.id, vertexFigures(before.get(vertex.id), vertex, seconds)]));
  const sum = (kind: Vertex["kind"], of: (vertex: VertexFigures) => number | null) => {
    const rates = newer.vertices.filter((vertex) => vertex.kind === kind).map((vertex) => of(vertices.get(vertex.id) ?? NOTHING));
    return rates.some((rate) => rate === null) || rates.length === 0 ? null : rates.reduce<number>((all, rate) => all + (rate ?? 0), 0);
  };
  return {
    in_rate: sum("source", (vertex) => vertex.out_rate),
    out_rate: sum("sink", (vertex) => vertex.in_rate),
    cpu: perSecond(older.cpu_s, newer.cpu_s, seconds),
    vertices,
  };
}

const NOTHING: VertexFigures = { in_rate: null, out_rate: null, batch_ms: null, lag_rate: null, shares: null, hot_subtask: null, subtasks: new Map() };

function emptyFigures(): Figures {
  return { in_rate: null, out_rate: null, cpu: null, vertices: new Map() };
}

function vertexFigures(older: Vertex | undefined, newer: Vertex, seconds: number): VertexFigures {
  if (!older) return NOTHING;
  const before = new Map((older.subtasks ?? []).map((subtask) => [subtask.index, subtask]));
  const now = newer.subtasks ?? [];
  const subtasks = new Map(now.map((subtask) => [subtask.index, subtaskFigures(before.get(subtask.index), subtask, seconds)]));
  const spent = now.map((subtask) => timesBetween(before.get(subtask.index), subtask));
  const shares = sharesOf(spent.reduce<Shares | null>(addTimes, null));
  return {
    in_rate: perSecond(older.records_in, newer.records_in, seconds),
    out_rate: perSecond(older.records_out, newer.records_out, seconds),
    batch_ms: batchMs(older.subtasks ?? [], now),
    lag_rate: lagRate(older, newer, seconds),
    shares,
    hot_subtask: hottest(subtasks, shares),
    subtasks,
  };
}

function subtaskFigures(older: Subtask | undefined, newer: Subtask, seconds: number): SubtaskFigures {
  return {
    in_rate: perSecond(older?.records_in, newer.records_in, seconds),
    out_rate: perSecond(older?.records_out, newer.records_out, seconds),
    bytes_in_rate: perSecond(older?.bytes_in, newer.bytes_in, seconds),
    bytes_out_rate: perSecond(older?.bytes_out, newer.bytes_out, seconds),
    batch_ms: batchMs(older ? [older] : [], [newer]),
    shares: sharesOf(timesBetween(older, newer)),
  };
}

function perSecond(older: number | undefined, newer: number | undefined, seconds: number): number | null {
  if (older === undefined || newer === undefined || seconds <= 0 || newer < older) return null;
  return (newer - older) / seconds;
}

function lagRate(older: Vertex, newer: Vertex, seconds: number): number | null {
  const [then, now] = [older.lag?.total, newer.lag?.total];
  return then == null || now == null || seconds <= 0 ? null : (now - then) / seconds;
}

function batchMs(older: Subtask[], newer: Subtask[]): number | null {
  const total = (of: (subtask: Subtask) => number) => {
    const sum = (subtasks: Subtask[]) => subtasks.reduce((all, subtask) => all + of(subtask), 0);
    return sum(newer) - sum(older);
  };
  const batches = total((subtask) => subtask.batches);
  return batches > 0 ? Math.max(0, (total((subtask) => subtask.batch_s) / batches) * 1000) : null;
}

/** The seconds that a task spent on each between two documents; `null` of what is not the first of its task. */
function timesBetween(older: Subtask | undefined, newer: Subtask): Shares | null {
  if (newer.busy_s === null || newer.idle_s === null || newer.backpressured_s === null) return null;
  const grown = (now: number, then: number | null | undefined) => Math.max(0, now - (then ?? 0));
  return {
    busy: grown(newer.busy_s, older?.busy_s),
    backpressured: grown(newer.backpressured_s, older?.backpressured_s),
    idle: grown(newer.idle_s, older?.idle_s),
  };
}

function addTimes(all: Shares | null, one: Shares | null): Shares | null {
  if (!all || !one) return all ?? one;
  return { busy: all.busy + one.busy, backpressured: all.backpressured + one.backpressured, idle: all.idle + one.idle };
}

function sharesOf(times: Shares | null): Shares | null {
  const all = times ? times.busy + times.backpressured + times.idle : 0;
  return times && all > 0 ? { busy: times.busy / all, backpressured: times.backpressured / all, idle: times.idle / all } : null;
}

function hottest(subtasks: Map<number, SubtaskFigures>, together: Shares | null): VertexFigures["hot_subtask"] {
  if (!together || subtasks.size < 2) return null;
  let hot: VertexFigures["hot_subtask"] = null;
  for (const [index, { shares }] of subtasks) {
    if (shares && shares.busy - together.busy >= HOT_BEYOND && shares.busy > (hot?.busy ?? 0)) hot = { index, busy: shares.busy };
  }
  return hot;
}
