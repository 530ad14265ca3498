/** What stands above every section: the job, how it is doing, what holds it back, what can be done to it, and what is under way. */
import { openCheckpoint, openRescale, openSavepoint, openStop } from "./actions.ts";
import type { App } from "./app.ts";
import type { Job } from "./contract.ts";
import { type Child, h } from "./dom.ts";
import { ago, bytes, duration, percent, rate } from "./format.ts";
import { heldBack } from "./held_back.ts";
import { message, pill } from "./parts.ts";
import { SECTIONS, sectionAddress, vertexAddress } from "./route.ts";
import { scheme, setScheme } from "./scheme.ts";
import { isUpgradable, openUpgrade, probation } from "./upgrade.ts";

/** The top of the page. */
export function headView(app: App): Child[] {
  const { job } = app;
  return [
    h("div", { class: "title" },
      h("span", { class: "brand" }, "weir"),
      h("h1", null, job ? job.job : "a job"),
      job && state(app, job),
      connection(app),
      schemeSwitch(app)),
    job && tiles(app, job),
    job && sentence(app, job),
    job && h("div", { class: "actions buttons", role: "group", "aria-label": "Actions" }, actions(app)),
  ];
}

/** The links to the sections. */
export function navView(app: App): Child[] {
  if (app.needsToken !== "no") return [];
  const failures = app.job ? app.job.vertices.reduce((all, { quarantined }) => all + quarantined, 0) + app.job.restarts : 0;
  return [
    h("ul", null, SECTIONS.map(([section, name]) =>
      h("li", { key: section }, h("a", { href: sectionAddress(section), "aria-current": app.route.section === section ? "page" : null },
        name, section === "errors" && failures > 0 && h("span", { class: "dot" }, h("span", { class: "visually-hidden" }, " (there are some)")))))),
  ];
}

/** What is under way, and what came of what was done. */
export function noticesView(app: App): Child[] {
  const { job, ended } = app;
  return [
    ended && h("div", { key: "ended", class: `notice ${ended.error ? "failed" : ""}` },
      message(ended.error ? `The job has ${ended.outcome}: ${ended.error}` : `The job has ended: ${ended.outcome}`, ended.hint),
      h("button", { type: "button", class: "quiet", onclick: () => app.stream.start() }, "Connect again")),
    !ended && job?.change && h("div", { key: "change", class: "notice change" },
      h("p", null, `${job.change.what === "upgrade" ? "Upgrade" : "Rescale"} of ${job.change.operator ?? "the job"}: ${job.change.phase}`,
        job.change.checkpoint !== null && ` (behind checkpoint ${job.change.checkpoint})`, " ", probation(app, job.change))),
    app.notices.map((notice) => h("div", { key: notice.id, class: `notice ${notice.level}` },
      message(notice.text, notice.hint), h("button", { type: "button", class: "quiet", onclick: () => app.dismiss(notice.id) }, "Dismiss"))),
  ];
}

function state(app: App, job: Job): Child {
  if (app.ended) return pill(app.ended.error ? "bad" : "", app.ended.outcome);
  if (job.state === "running" && job.running === false) return pill("warn", "starting");
  return pill(job.state === "running" ? "ok" : "warn", job.state);
}

function connection(app: App): Child {
  const { connection } = app;
  const words: Record<typeof connection.state, [string, string]> = {
    live: ["live", "live"],
    connecting: ["waiting", "connecting …"],
    waiting: ["lost", "connection lost, trying again"],
    ended: ["", "ended"],
    refused: ["lost", "needs a token"],
  };
  const [level, text] = words[connection.state];
  const stale = connection.state !== "live" && connection.state !== "ended" && app.heard_ms !== null && app.job;
  return h("span", { class: `connection ${level}` }, text, stale && `; figures are ${duration(Math.floor((Date.now() - (app.heard_ms ?? 0)) / 1000) * 1000)} old`);
}

function schemeSwitch(app: App): Child {
  const choose = (event: Event) => {
    setScheme((event.target as HTMLSelectElement).value);
    app.changed();
  };
  return h("label", { class: "scheme" }, h("span", { class: "visually-hidden" }, "Colours"),
    h("select", { onchange: choose }, [["auto", "System colours"], ["light", "Light"], ["dark", "Dark"]].map(([value, name]) =>
      h("option", { key: value ?? "", value: value ?? "", selected: scheme() === value }, name))));
}

function tiles(app: App, job: Job): Child {
  const { in_rate, out_rate, cpu } = app.history.now;
  const tile = (name: string, value: Child, beside?: Child) => h("div", { key: name }, h("dt", null, name), h("dd", null, value, beside && h("span", { class: "beside" }, beside)));
  const last = job.last_checkpoint;
  const known = last && app.checkpoints.data?.checkpoints.find(({ id }) => id === last.id);
  const at_ms = known ? known.triggered_at_ms + (known.duration_ms ?? 0) : null;
  const stale = app.connection.state !== "live" && app.connection.state !== "connecting";
  return h("dl", { class: stale ? "tiles stale" : "tiles" },
    tile("Records in", rate(in_rate)),
    tile("Records out", rate(out_rate)),
    tile("Last checkpoint", last ? (at_ms === null ? `no. ${last.id}` : ago(at_ms, app.now_ms())) : "none yet", last && `took ${duration(last.duration_ms)}`),
    tile("Restarts", String(job.restarts), `attempt ${job.restarts + 1}`),
    tile("Up for", duration(Math.floor(job.uptime_s) * 1000), `weir ${job.version}`),
    !!job.memory_bytes && tile("Memory", bytes(job.memory_bytes), cpu !== null && `${percent(cpu)} of a core`));
}

function sentence(app: App, job: Job): Child {
  if (app.ended) return null;
  const held = heldBack(job, app.history.now);
  if (!held) return null;
  return h("p", { class: `held-back ${held.level}` }, held.text, ".",
    held.vertex !== null && [" ", h("a", { href: vertexAddress(held.vertex) }, "Look at it")]);
}

function actions(app: App): Child[] {
  const off = app.ended !== null || app.connection.state === "refused";
  const button = (name: string, open: () => void, danger = false) =>
    h("button", { key: name, type: "button", disabled: off, class: danger ? "danger-quiet" : null, "aria-haspopup": "dialog", onclick: open }, name);
  const upgradable = app.job?.vertices.some((vertex) => isUpgradable(app, vertex));
  return [
    button("Checkpoint …", () => openCheckpoint(app)),
    button("Savepoint …", () => openSavepoint(app)),
    button("Rescale …", () => openRescale(app)),
    upgradable && button("Upgrade …", () => openUpgrade(app)),
    button("Stop …", () => openStop(app), true),
  ];
}

