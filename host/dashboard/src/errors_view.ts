/** What went wrong: failures of the job with their backtraces, and the records that were set aside. */
import type { App } from "./app.ts";
import type { FailedRecord, Failure, Job, QuarantineRecord, Vertex } from "./contract.ts";
import { type Child, h } from "./dom.ts";
import { ago, clock, count, plural, valueText } from "./format.ts";
import { type Column, empty, facts, message, remote, table } from "./parts.ts";

/** Records that are asked for first, and how many more each time. */
const PAGE = 50;
/** Which quarantine is looked at, and how far. */
const looked = { vertex: null as string | null, limit: PAGE, asked: "" };

/** The section. */
export function errorsView(app: App, job: Job): Child[] {
  return [
    h("section", { "aria-labelledby": "failures-heading" },
      h("h2", { id: "failures-heading" }, "Failures and restarts"),
      h("p", { class: "dim" }, job.restarts === 0 ? "The job has not been restarted in this process." : `${plural(job.restarts, "restart")} in this process.`),
      remote(app.failures, "a list of failures", ({ failures }) => failureList(app, failures), () => app.askForFailures())),
    h("section", { "aria-labelledby": "quarantine-heading" }, h("h2", { id: "quarantine-heading" }, "Quarantine"), quarantine(app, job)),
  ];
}

function failureList(app: App, failures: Failure[]): Child {
  if (failures.length === 0) return empty("There is none.");
  const now_ms = app.now_ms();
  return h("ol", { class: "failures", reversed: true }, failures.map((failure, index) =>
    h("li", { key: `${failure.at_ms} ${failures.length - index}`, class: "panel" },
      h("p", { class: "dim" }, `${clock(failure.at_ms, now_ms)}, ${ago(failure.at_ms, now_ms)}`),
      message(failure.message, failure.hint),
      failure.record && record(failure.record, now_ms))));
}

/** The record that a failure came with. */
function record({ operator, key, value, timestamp }: FailedRecord, now_ms: number): Child {
  return facts([
    ["Record of", operator],
    ["Key", key != null && h("code", null, valueText(key))],
    ["Value", value != null && h("code", { class: "value" }, valueText(value))],
    ["Time", timestamp != null && clock(timestamp, now_ms)],
  ]);
}

function quarantine(app: App, job: Job): Child {
  const vertices = job.vertices.filter((vertex) => vertex.quarantined > 0);
  if (vertices.length === 0) return empty("No record has been set aside.");
  if (!app.has("get", "/v1/quarantine")) return setAside(vertices);
  const vertex = vertices.find(({ id }) => id === looked.vertex) ?? vertices[0];
  if (!vertex) return null;
  ask(app, vertex);
  return [
    h("div", { class: "controls" },
      h("label", null, "Set aside by ",
        h("select", { onchange: (event) => choose(app, (event.target as HTMLSelectElement).value) },
          vertices.map(({ id, quarantined }) => h("option", { key: id, value: id, selected: id === vertex.id }, `${id} (${count(quarantined)})`)))),
      h("button", { type: "button", onclick: () => load(app, vertex) }, "Look again")),
    remote(app.quarantine, "a quarantine to look into", ({ records }) => recordTable(app, vertex, records), () => load(app, vertex)),
  ];
}

/** How many there are, where they cannot be looked into from here. */
function setAside(vertices: Vertex[]): Child {
  const columns: Column<Vertex>[] = [
    { name: "Step", cell: ({ id }) => id },
    { name: "Records", number: true, cell: ({ quarantined }) => count(quarantined) },
  ];
  return table("Records that were set aside in this process; they are where the job file sends them, or in the folder `quarantine` of the job's storage", columns, vertices, ({ id }) => id);
}

function choose(app: App, vertex: string): void {
  [looked.vertex, looked.limit] = [vertex, PAGE];
  app.changed();
}

/** Loads what is looked at, where it is not there yet. */
function ask(app: App, vertex: Vertex): void {
  const wanted = `${vertex.id} ${looked.limit}`;
  if (looked.asked !== wanted) load(app, vertex);
}

function load(app: App, vertex: Vertex): void {
  looked.asked = `${vertex.id} ${looked.limit}`;
  void app.quarantine.load(() => app.api.get("v1/quarantine", { vertex: vertex.id, limit: String(looked.limit) }));
}

function recordTable(app: App, vertex: Vertex, records: QuarantineRecord[]): Child {
  if (records.length === 0) return empty("Nothing of it is left.");
  const now_ms = app.now_ms();
  const columns: Column<QuarantineRecord>[] = [
    { name: "Operator", cell: ({ operator }) => operator },
    { name: "Key", cell: ({ key }) => h("code", null, valueText(key)) },
    { name: "Value", cell: ({ value }) => h("code", { class: "value" }, valueText(value)) },
    { name: "Time", cell: ({ timestamp }) => clock(timestamp, now_ms) },
    { name: "Error", cell: ({ error, backtrace }) => message(error, null, backtrace) },
  ];
  const numbered = records.map((record, index) => ({ ...record, index }));
  return [
    table(`Records that ${vertex.id} has set aside: ${count(records.length)} of ${count(vertex.quarantined)}`, columns, numbered, (record) => String((record as { index?: number }).index)),
    records.length >= looked.limit && h("button", { type: "button", onclick: () => { looked.limit += PAGE; app.changed(); } }, "Show more"),
  ];
}
