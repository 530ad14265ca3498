/** What holds the job back, in one sentence. Pure. */
import type { Job } from "./contract.ts";
import { percent } from "./format.ts";
import { inFrontOf, tasksOf } from "./graph.ts";
import type { Figures } from "./rates.ts";

/** What was found, and the vertex that it is about. */
export interface HeldBack {
  level: "ok" | "busy" | "trouble" | "unknown";
  text: string;
  vertex: string | null;
}

/** A task is waited for where those in front of it are held up for this share of their time. */
const WAITED_FOR = 0.25;
/** A task is at its limit where it is busy for this share of its time. */
const AT_ITS_LIMIT = 0.8;

/** Trouble with what lies outside goes first, then the busiest task that others wait for, then one that is at its limit. `null` where the job does not tell how its tasks spend their time. */
export function heldBack(job: Job, now: Figures): HeldBack | null {
  return outside(job) ?? waitedFor(job, now) ?? atItsLimit(job, now) ?? nothing(job, now);
}

function outside(job: Job): HeldBack | null {
  const troubled = job.vertices.find((vertex) => vertex.trouble);
  if (troubled) return { level: "trouble", vertex: troubled.id, text: `${troubled.id} does not get on: ${firstLine(troubled.trouble ?? "")}` };
  const full = (job.outboxes ?? []).find((outbox) => outbox.is_full);
  if (!full) return null;
  const text = `${full.sink} takes nothing more: as much waits to be published as may`;
  return { level: "trouble", vertex: full.sink, text };
}

function waitedFor(job: Job, now: Figures): HeldBack | null {
  const candidates = tasksOf(job).flatMap((task) => {
    const own = now.vertices.get(task.id);
    const waiting = inFrontOf(job, task.id)
      .map((id) => ({ id, share: now.vertices.get(id)?.shares?.backpressured ?? 0 }))
      .filter(({ share }) => share >= WAITED_FOR)
      .sort((a, b) => b.share - a.share);
    const first = waiting[0];
    // One hot subtask is enough to hold up everything in front of it, however idle the others are.
    const busy = Math.max(own?.shares?.busy ?? 0, own?.hot_subtask?.busy ?? 0);
    const own_backpressure = own?.shares?.backpressured ?? 0;
    return own?.shares && first && own_backpressure < first.share ? [{ task, busy, own, first }] : [];
  });
  const [worst] = candidates.sort((a, b) => b.busy - a.busy);
  if (!worst) return null;
  const { task, own, first } = worst;
  const hot = own.hot_subtask;
  const busy = hot
    ? `its subtask ${hot.index} is busy ${percent(hot.busy)} of the time while all of them together are ${percent(own.shares?.busy)}, as where one key has most of the records`
    : `it is busy ${percent(own.shares?.busy)} of the time`;
  const text = `${task.id} holds the job back: ${busy}, and ${first.id} waits for it ${percent(first.share)} of its time`;
  return { level: "busy", vertex: task.id, text };
}

function atItsLimit(job: Job, now: Figures): HeldBack | null {
  const busiest = tasksOf(job)
    .map((task) => ({ id: task.id, busy: now.vertices.get(task.id)?.shares?.busy ?? 0 }))
    .sort((a, b) => b.busy - a.busy)[0];
  if (!busiest || busiest.busy < AT_ITS_LIMIT) return null;
  const text = `${busiest.id} is close to its limit: it is busy ${percent(busiest.busy)} of the time; nothing waits for it yet`;
  return { level: "busy", vertex: busiest.id, text };
}

function nothing(job: Job, now: Figures): HeldBack | null {
  if (!job.vertices.some((vertex) => vertex.subtasks?.some(({ busy_s }) => busy_s !== null))) return null;
  const known = [...now.vertices.values()].some((vertex) => vertex.shares);
  if (!known) return { level: "unknown", vertex: null, text: "What holds the job back is known after some seconds" };
  return { level: "ok", vertex: null, text: "Nothing holds the job back: no step is waited for" };
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
