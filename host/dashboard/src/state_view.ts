/** What the operators keep: windows, timers and bytes by step, and the state of one key. */
import type { App } from "./app.ts";
import type { Job, KeyState, Vertex } from "./contract.ts";
import { type Child, h } from "./dom.ts";
import { bytes, clock, count, valueText } from "./format.ts";
import { type Column, empty, facts, remote, table } from "./parts.ts";

/** The question that was asked last. */
const asked = { operator: "", key: "" };

/** The section. */
export function stateView(app: App, job: Job): Child[] {
  return [
    h("section", { "aria-labelledby": "windows-heading" }, h("h2", { id: "windows-heading" }, "Windows and timers"), windows(app, job)),
    app.has("get", "/v1/state") && h("section", { "aria-labelledby": "key-heading" }, h("h2", { id: "key-heading" }, "State of a key"), lookUp(app, job)),
  ];
}

function windows(app: App, job: Job): Child {
  const keeping = job.vertices.filter((vertex) => vertex.kind !== "source" && vertex.kind !== "sink");
  if (keeping.length === 0) return empty("The job has no operators.");
  const now_ms = app.now_ms();
  const there = (name: keyof Vertex) => keeping.some((vertex) => vertex[name] != null);
  const columns: (Column<Vertex> | false)[] = [
    { name: "Operator", cell: ({ id }) => id },
    { name: "State", number: true, cell: ({ state_bytes }) => bytes(state_bytes) },
    { name: "Open windows", number: true, cell: ({ open_windows }) => count(open_windows) },
    there("oldest_window_ms") && { name: "Oldest window", number: true, cell: ({ oldest_window_ms }) => clock(oldest_window_ms, now_ms) },
    there("timers") && { name: "Timers", number: true, cell: ({ timers }) => count(timers) },
    there("oldest_timer_ms") && { name: "Next timer", number: true, cell: ({ oldest_timer_ms }) => clock(oldest_timer_ms, now_ms) },
    keeping.some(({ id }) => timersOf(app, id)) && { name: "Timers it has", wide: true, cell: ({ id }) => timersOf(app, id) || "–" },
    { name: "Late records", number: true, cell: ({ late }) => count(late) },
    { name: "Watermark", number: true, cell: ({ watermark }) => clock(watermark, now_ms) },
  ];
  return table("What the operators keep, as of the last checkpoint's barrier", columns.filter((column) => column !== false), keeping, ({ id }) => id);
}

/** The timers that an operator declares, and what they go by. */
function timersOf(app: App, id: string): string {
  return (app.configOf(id)?.timers ?? []).map(({ name, time }) => `${name} (${time.replaceAll("-", " ")})`).join(", ");
}

function lookUp(app: App, job: Job): Child {
  const operators = job.vertices.filter((vertex) => vertex.kind === "operator" || vertex.kind === undefined);
  if (operators.length === 0) return empty("The job has no operators.");
  const most = operators.reduce((most, one) => ((one.state_bytes ?? 0) > (most?.state_bytes ?? 0) ? one : most), operators[0]);
  const submit = (event: Event) => {
    event.preventDefault();
    const values = new FormData(event.target as HTMLFormElement);
    [asked.operator, asked.key] = [String(values.get("operator")), String(values.get("key"))];
    app.keyState.clear();
    void app.keyState.load(() => app.api.get("v1/state", { operator: asked.operator, key: asked.key }));
  };
  return [
    h("form", { class: "controls", onsubmit: submit },
      h("label", null, "Operator ", h("select", { name: "operator" }, operators.map(({ id }) => h("option", { key: id, value: id, selected: id === most?.id }, id)))),
      h("label", null, "Key ", h("input", { name: "key", type: "text", required: true, autocomplete: "off", spellcheck: "false", "aria-describedby": "key-help" })),
      h("button", { type: "submit" }, "Look up")),
    h("p", { id: "key-help", class: "dim" }, "Text, or 0x and hex digits. What is shown is as of now, between two calls of the operator."),
    h("div", { "aria-live": "polite" }, remote(app.keyState, "a look into the state of a key", ({ states }) => found(states), () => app.changed())),
  ];
}

/** What a state is called, with its window where it is in one, and that it is cut where it is. */
function stateName({ name, window, truncated }: KeyState): string {
  const of = window === undefined ? name : `${name}, window ${String(window)}`;
  return truncated ? `${of} (cut)` : of;
}

function found(states: KeyState[]): Child {
  if (states.length === 0) return empty(`${asked.operator} keeps nothing of ${asked.key}.`);
  return [
    h("h3", null, `${asked.key} in ${asked.operator}`),
    facts(states.map((state) => [stateName(state), h("pre", { class: "value", tabindex: 0 }, valueText(state.value, 2))])),
  ];
}
