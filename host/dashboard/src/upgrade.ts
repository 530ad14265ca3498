/** Lets another component take over for an operator: which one, what would change, and then its probation, watched until it is decided. */
import type { App } from "./app.ts";
import { lookAt, type Looked } from "./component.ts";
import type { Change, UpgradeCheck, Vertex } from "./contract.ts";
import { ask, type Outcome, type Question } from "./dialog.ts";
import { type Child, h } from "./dom.ts";
import { bytes, digest, duration } from "./format.ts";
import { operatorName } from "./graph_view.ts";
import { check, field, message, table, withCode } from "./parts.ts";

/** Whether an operator is a component, that another may take the place of. */
export function isUpgradable(app: App, vertex: Vertex): boolean {
  return vertex.kind === "operator" && vertex.plugin != null && !(app.configOf(vertex.id)?.runs ?? "").endsWith("(native)");
}

/** What is to be done. */
interface Wanted {
  operator: string;
  file: File;
  probation_ms: number;
  /** Sinks that cannot hold output back may show it again. */
  allow_repeat: boolean;
}

/** What was found out of it: by the page itself, and by the job where that can. */
interface Found {
  looked: Looked;
  check: UpgradeCheck | null;
}

/** When a probation was first seen, by the number of its change: its end is counted from there. */
const seen = new Map<number, number>();

/** Opens the dialog, with the file that was dropped on the operator where one was. */
export function openUpgrade(app: App, operator: string | null = null, dropped: File | null = null): void {
  const operators = (app.job?.vertices ?? []).filter((vertex) => isUpgradable(app, vertex));
  ask(app, {
    title: "Upgrade a plugin",
    body: () => [
      h("p", null, "The component is checked first; nothing changes before you confirm what would."),
      field("Operator", h("select", { name: "operator" }, operators.map(({ id }) => h("option", { key: id, value: id, selected: id === operator }, id)))),
      dropped
        ? h("p", { class: "field" }, h("span", { class: "name" }, "Component"), h("code", null, dropped.name))
        : field("Component", h("input", { name: "file", type: "file", accept: ".wasm,application/wasm", required: true })),
      field("Probation, seconds",
        h("input", { name: "probation", type: "number", min: 0, max: 86_400, step: 1, required: true, value: "30", "aria-describedby": "probation-help" }),
        { id: "probation-help", text: "Output is held back so long. Where the component fails meanwhile, the one before it goes on as if nothing had been." }),
      check("allow-repeat", "Output may come again", "Of sinks that cannot hold it back: what the probation wrote there comes again after a rollback. Without this such a job refuses the upgrade."),
    ],
    confirm: "Check",
    run: async (values) => {
      const file = dropped ?? (values.get("file") as File);
      const wanted: Wanted = { operator: String(values.get("operator")), file, probation_ms: Number(values.get("probation")) * 1000, allow_repeat: values.get("allow-repeat") !== null };
      return confirmation(app, wanted, await find(app, wanted));
    },
  });
}

async function find(app: App, { operator, file }: Wanted): Promise<Found> {
  const looked = await lookAt(file);
  if (looked.problem) return { looked, check: null };
  if (!app.has("post", "/v1/upgrade/check")) return { looked, check: null };
  const found = await app.api.post<UpgradeCheck>("v1/upgrade/check", file, { operator, name: file.name });
  return { looked, check: found };
}

function confirmation(app: App, wanted: Wanted, found: Found): Question {
  const { looked, check } = found;
  const vertex = app.job?.vertices.find(({ id }) => id === wanted.operator);
  const same = looked.digest !== null && looked.digest === (vertex?.digest ?? vertex?.plugin?.digest)?.replace(/^sha256:/, "");
  const problems = [
    ...(looked.problem ? [{ message: `${wanted.file.name}: ${looked.problem}`, hint: "choose the .wasm file that `weir plugin build` has written" }] : []),
    ...(check?.problems ?? []),
  ];
  const blocked = problems.length > 0 || check?.fits === false;
  return {
    title: `Upgrade ${wanted.operator}: what would change`,
    body: () => [
      problems.length > 0 && h("div", { class: "notice failed" }, problems.map((problem) => message(problem.message, problem.hint))),
      comparison(app, vertex, wanted, found),
      same && h("p", null, "It is the component that runs already."),
      check?.changes && check.changes.length > 0 && h("ul", null, check.changes.map((text) => h("li", { key: text }, withCode(text)))),
      !check && !looked.problem && h("p", { class: "dim" }, "This weir does not say beforehand whether it fits the state that is kept: it is refused when it takes over, where it does not, and the job goes on as it was."),
      !blocked && h("p", null, `It is on probation for ${duration(wanted.probation_ms)}. To compare the two on kept records first: `, h("code", null, `weir upgrade ${app.job?.job ?? "JOB"} --operator ${wanted.operator} --plugin ${wanted.file.name} --dry-run`)),
    ],
    confirm: "Upgrade",
    danger: true,
    blocked,
    progress: () => progress(app, wanted.operator),
    run: () => upgrade(app, wanted),
  };
}

function comparison(app: App, vertex: Vertex | undefined, { file }: Wanted, { looked, check }: Found): Child {
  const now = vertex?.plugin;
  const next = check?.plugin;
  const all: [string, Child, Child][] = [
    ["Plugin", vertex && operatorName(app, vertex), next?.name && `${next.name} ${next.version ?? ""}`],
    ["Language", now?.language, next?.language],
    ["File", vertex?.reference?.named, `${file.name}, ${bytes(looked.bytes)}`],
    ["SHA-256", h("code", null, digest(vertex?.digest ?? now?.digest)), h("code", null, digest(looked.digest ?? next?.digest))],
  ];
  const rows = all.filter(([, before, after]) => before || after);
  const columns = [
    { name: "What", cell: ([name]: [string, Child, Child]) => name },
    { name: "Now", cell: ([, before]: [string, Child, Child]) => before || "–" },
    { name: "Then", cell: ([, , after]: [string, Child, Child]) => after || "–" },
  ];
  return table("The plugin that runs and the one that would", columns, rows, ([name]) => name);
}

async function upgrade(app: App, { operator, file, probation_ms, allow_repeat }: Wanted): Promise<Outcome> {
  interface Done { outcome: string; reason: string | null; checkpoint: number | null; savepoint: string | null; pause_ms: number | null; may_repeat?: string[] }
  const done = await app.api.post<Done>("v1/upgrade", file, { operator, name: file.name, probation_ms: String(probation_ms), ...(allow_repeat ? { allow_repeat: "true" } : {}) });
  if (done.outcome !== "accepted") {
    return { level: "failed", text: `Rolled back: ${done.reason ?? "the new component has failed"}`, hint: "the component before it goes on, as if nothing had been" };
  }
  const rows: [string, Child][] = [["May have come again", done.may_repeat?.length ? done.may_repeat.join(", ") : null], ["Behind", done.checkpoint !== null ? `checkpoint ${done.checkpoint}` : done.savepoint], ["Pause", done.pause_ms !== null ? duration(done.pause_ms) : null]];
  return { level: "ok", text: `${operator} runs ${file.name}: accepted`, rows };
}

/** How far the upgrade of an operator has come: its phases, and how much of the probation is left. */
function progress(app: App, operator: string): Child {
  const change = app.job?.change;
  if (change?.what !== "upgrade" || change.operator !== operator) return null;
  const phases = ["preparing", "changing over", "probation"];
  return [
    h("ol", { class: "phases" }, phases.map((phase) => h("li", { key: phase, "aria-current": phase === change.phase ? "step" : null }, phase))),
    probation(app, change),
  ];
}

/** How much of a probation is left, as a bar; nothing outside of one. */
export function probation(app: App, change: Change): Child {
  if (change.phase !== "probation" || !change.probation_ms) return null;
  const now_ms = app.now_ms();
  const since_ms = change.since_ms ?? seen.get(change.id) ?? now_ms;
  seen.set(change.id, since_ms);
  const passed = Math.max(0, Math.min(change.probation_ms, now_ms - since_ms));
  return h("span", { class: "probation" },
    h("progress", { max: change.probation_ms, value: String(passed), "aria-label": "Probation" }), ` ${duration(change.probation_ms - passed)} left`);
}
