/** The history of checkpoints: each with how long it took and for what, and opened by vertex and subtask. */
import type { App } from "./app.ts";
import type { Checkpoint, CheckpointTask } from "./contract.ts";
import { type Child, h } from "./dom.ts";
import { ago, bytes, clock, count, duration, plural } from "./format.ts";
import { bar, type Column, empty, facts, message, pill, remote, table, withCode } from "./parts.ts";

/** The ids of those that are open. */
const opened = new Set<number>();

/** The section. */
export function checkpointsView(app: App): Child[] {
  return [
    h("section", { "aria-labelledby": "checkpoints-heading" },
      h("div", { class: "heading" },
        h("h2", { id: "checkpoints-heading" }, "Checkpoints"),
        h("ul", { class: "legend" }, [...PARTS.map(({ name }) => name), "rest"].map((name) => h("li", { key: name }, h("span", { class: `swatch ${name}`, "aria-hidden": "true" }), name)))),
      app.job && facts([
        ["Completed", count(app.job.checkpoints_completed)],
        ["Failed", count(app.job.checkpoints_failed)],
      ]),
      remote(app.checkpoints, "a history of checkpoints", ({ checkpoints }) => history(app, checkpoints), () => app.askForCheckpoints())),
  ];
}

/** What a checkpoint's time goes into, of its slowest subtask. */
const PARTS: { name: string; of(task: CheckpointTask): number | null }[] = [
  { name: "alignment", of: ({ alignment_ms }) => alignment_ms },
  { name: "capture", of: ({ capture_ms }) => capture_ms },
  { name: "upload", of: ({ upload_ms }) => upload_ms },
];

/** The subtask that took longest. */
export function slowest(tasks: CheckpointTask[]): CheckpointTask | null {
  const took = (task: CheckpointTask) => PARTS.reduce((all, { of }) => all + (of(task) ?? 0), 0);
  return tasks.reduce<CheckpointTask | null>((slow, task) => (slow === null || took(task) > took(slow) ? task : slow), null);
}

function history(app: App, checkpoints: Checkpoint[]): Child {
  if (checkpoints.length === 0) return empty("There is none yet.");
  const longest = Math.max(1, ...checkpoints.map((checkpoint) => checkpoint.duration_ms ?? 0));
  const now_ms = app.now_ms();
  const columns: Column<Checkpoint>[] = [
    { name: "Checkpoint", cell: (checkpoint) => toggle(app, checkpoint) },
    { name: "State", cell: ({ state }) => pill({ completed: "ok", failed: "bad", pending: "warn" }[state] ?? "", state) },
    { name: "Trigger", cell: ({ trigger }) => trigger },
    { name: "When", cell: ({ triggered_at_ms }) => h("span", { title: ago(triggered_at_ms, now_ms) }, clock(triggered_at_ms, now_ms)) },
    { name: "Duration", cell: (checkpoint) => took(checkpoint, longest) },
    { name: "Written", number: true, cell: ({ state, bytes: written }) => (state === "completed" ? bytes(written) : "–") },
    { name: "Reason of a failure", cell: ({ reason }) => reason && h("span", { class: "reason" }, withCode(reason.split("\n", 1)[0] ?? "")) },
  ];
  return table("Checkpoints, the newest first", columns, checkpoints, ({ id }) => String(id), (checkpoint) => opened.has(checkpoint.id) && detail(checkpoint, columns.length));
}

function toggle(app: App, { id }: Checkpoint): Child {
  const open = opened.has(id);
  const press = () => {
    if (!opened.delete(id)) opened.add(id);
    app.changed();
  };
  return h("button", { type: "button", class: "toggle", "aria-expanded": String(open), "aria-controls": open ? `checkpoint-${id}` : null, onclick: press }, String(id));
}

function took({ state, duration_ms, tasks }: Checkpoint, longest: number): Child {
  if (state === "pending" || duration_ms === null) return "under way";
  const slow = slowest(tasks ?? []);
  const parts = slow ? PARTS.map(({ name, of }) => ({ name, share: of(slow) ?? 0 })) : [];
  const rest = Math.max(0, duration_ms - parts.reduce((all, { share }) => all + share, 0));
  const title = parts.map(({ name, share }) => `${name} ${duration(share)}`).join(", ");
  return h("span", { class: "took", title }, h("span", { class: "figure" }, duration(duration_ms)), bar([...parts, { name: "rest", share: rest }], longest));
}

function detail(checkpoint: Checkpoint, columns: number): Child {
  const tasks = checkpoint.tasks ?? [];
  const slow = slowest(tasks);
  const said = slow && `Slowest was subtask ${slow.subtask} of ${slow.vertex}: ${PARTS.map(({ name, of }) => `${name} ${duration(of(slow))}`).join(", ")}.`;
  const missing = tasks.filter(({ upload_ms }) => upload_ms === null).map(({ vertex, subtask }) => `subtask ${subtask} of ${vertex}`);
  const by: Column<CheckpointTask>[] = [
    { name: "Vertex", cell: ({ vertex }) => vertex },
    { name: "Subtask", number: true, cell: ({ subtask }) => subtask },
    ...PARTS.map(({ name, of }): Column<CheckpointTask> => ({ name: `${name[0]?.toUpperCase()}${name.slice(1)}`, number: true, cell: (task) => duration(of(task)) })),
    { name: "State", number: true, cell: (task) => bytes(task.state_bytes) },
    { name: "In flight", number: true, cell: (task) => bytes(task.in_flight_bytes) },
  ];
  return h("tr", { key: `detail ${checkpoint.id}`, class: "detail" }, h("td", { colspan: columns },
    h("div", { id: `checkpoint-${checkpoint.id}` },
      checkpoint.reason && message(checkpoint.reason, null),
      missing.length > 0 && h("p", null, `Not done: ${missing.slice(0, 10).join(", ")}${missing.length > 10 ? ` and ${missing.length - 10} more` : ""}.`),
      said && h("p", null, said),
      tasks.length > 0 ? table(`Checkpoint ${checkpoint.id}, ${plural(tasks.length, "subtask")}`, by, tasks, ({ vertex, subtask }) => `${vertex} ${subtask}`) : empty("Nothing is known of its subtasks."))));
}
