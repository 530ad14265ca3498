/** What can be done to the job from the page, each behind a question: checkpoint, savepoint, rescale, stop. An upgrade is in `upgrade.ts`. */
import type { App } from "./app.ts";
import { ask, type Outcome } from "./dialog.ts";
import { type Child, h } from "./dom.ts";
import { bytes, duration } from "./format.ts";
import { check, field } from "./parts.ts";

/** Takes a checkpoint, out of turn. */
export function openCheckpoint(app: App): void {
  ask(app, {
    title: "Take a checkpoint",
    body: () => h("p", null, "Takes one now, out of turn. The job goes on meanwhile."),
    confirm: "Take checkpoint",
    run: async () => {
      const taken = await app.api.post<{ checkpoint: number; duration_ms: number | null; bytes: number | null }>("v1/checkpoints");
      return { level: "ok", text: `Checkpoint ${taken.checkpoint} is complete`, rows: [["Duration", duration(taken.duration_ms)], ["Size", bytes(taken.bytes)]] };
    },
  });
}

/** Copies state, components and job file to where a job can begin from. */
export function openSavepoint(app: App): void {
  ask(app, {
    title: "Take a savepoint",
    body: () => [h("p", null, "A copy of everything, from which this job or another one can begin: state, components and the job file. The job goes on meanwhile."), url(), check("unaligned", "With records in flight", "It overtakes the records that wait between the steps, and holds them.")],
    confirm: "Take savepoint",
    run: async (values) => {
      const taken = await app.api.post<{ url: string; checkpoint: number }>("v1/savepoints", { url: text(values, "url"), unaligned: values.get("unaligned") !== null });
      return { level: "ok", text: "The savepoint is written", rows: [["Where", h("code", null, taken.url)], ["Of checkpoint", taken.checkpoint]] };
    },
  });
}

/** Gives one step, or all of them, another parallelism. */
export function openRescale(app: App, vertex: string | null = null): void {
  const steps = app.job?.vertices ?? [];
  const now = steps.find(({ id }) => id === vertex)?.parallelism ?? Math.max(1, ...steps.map(({ parallelism }) => parallelism));
  ask(app, {
    title: "Rescale",
    body: () => [
      h("p", null, "The job stops behind a checkpoint and goes on in its new shape. Where it cannot run in that, it is back in the old one."),
      field("What", h("select", { name: "operator" },
        h("option", { value: "", selected: vertex === null }, "the whole job"),
        steps.map(({ id, parallelism }) => h("option", { key: id, value: id, selected: id === vertex }, `${id} (now ${parallelism})`)))),
      field("Parallelism", h("input", { name: "parallelism", type: "number", min: 1, max: 32768, step: 1, required: true, value: String(now) })),
    ],
    confirm: "Rescale",
    progress: () => change(app),
    run: async (values) => {
      const done = await app.api.post<{ steps?: string[]; left_alone?: string[]; parallelism: number; checkpoint: number; pause_ms: number }>("v1/rescale", {
        parallelism: Number(values.get("parallelism")),
        operator: text(values, "operator"),
      });
      const rows: [string, Child][] = [["Steps", done.steps?.join(", ")], ["Left as they were", done.left_alone?.length ? done.left_alone.join(", ") : null]];
      return { level: "ok", text: `The job runs with a parallelism of ${done.parallelism}`, rows: [...rows, ["Behind checkpoint", done.checkpoint], ["Pause", duration(done.pause_ms)]] };
    },
  });
}

/** Ends the job: behind a last checkpoint, with a savepoint, or at the end of its input. */
export function openStop(app: App): void {
  const choices: [string, string, string][] = [
    ["checkpoint", "Behind a last checkpoint", "The next run goes on from there; nothing is lost or doubled."],
    ["savepoint", "With a savepoint", "The same, and a copy of everything is written."],
    ["drain", "At the end of the input", "The input ends here and everything is worked off: the job is finished, and does not go on."],
  ];
  ask(app, {
    title: `Stop ${app.job?.job ?? "the job"}`,
    body: () => [
      h("div", { role: "radiogroup", "aria-label": "How" }, choices.map(([value, name, what]) =>
        h("label", { key: value, class: "choice" }, h("input", { type: "radio", name: "how", value, checked: value === "checkpoint" }), h("span", null, h("strong", null, name), h("span", { class: "dim" }, what))))),
      url("Only of a stop with a savepoint. "),
    ],
    confirm: "Stop the job",
    danger: true,
    run: async (values) => {
      const how = values.get("how");
      const body = { drain: how === "drain", savepoint: how === "savepoint" ? (text(values, "url") ?? "") : null };
      return stopped(await app.api.post<Stopped>("v1/stop", body));
    },
  });
}

interface Stopped {
  outcome: string;
  error?: string | null;
  hint?: string | null;
  checkpoint?: number | null;
  savepoint?: string | null;
  savepoint_error?: string | null;
  savepoint_hint?: string | null;
}

function stopped({ outcome, error, hint, checkpoint, savepoint, savepoint_error, savepoint_hint }: Stopped): Outcome {
  if (error) return { level: "failed", text: error, hint: hint ?? null };
  const rows: [string, Child][] = [["Checkpoint", checkpoint], ["Savepoint", savepoint && h("code", null, savepoint)]];
  if (savepoint_error) return { level: "failed", text: `The job has stopped, but its savepoint is not written: ${savepoint_error}`, hint: savepoint_hint ?? null, rows };
  return { level: "ok", text: `The job has ended: ${outcome}`, rows };
}

/** How far a rescale or an upgrade has come. */
export function change(app: App): Child {
  const now = app.job?.change;
  return now && h("p", null, `${now.what === "upgrade" ? "Upgrade" : "Rescale"}${now.operator ? ` of ${now.operator}` : ""}: ${now.phase}`);
}

function url(lead = ""): Child {
  const input = h("input", { name: "url", type: "text", autocomplete: "off", spellcheck: "false", "aria-describedby": "url-help" });
  return field("URL of the savepoint", input, { id: "url-help", text: `${lead}Absolute, like file:/backups/1 or s3://bucket/1; empty for a folder beside the checkpoints.` });
}

function text(values: FormData, name: string): string | null {
  return String(values.get(name) ?? "").trim() || null;
}
