/** Every setting of the job with those that nobody wrote, and what the job promises by them. */
import type { App } from "./app.ts";
import type { Config } from "./contract.ts";
import { type Child, h } from "./dom.ts";
import { valueText } from "./format.ts";
import { type Column, empty, remote, scrolling, table, withCode } from "./parts.ts";

/** What is looked for. */
let wanted = "";

/** The section. */
export function configView(app: App): Child[] {
  if (!app.config.data && !app.config.error && !app.config.loading) app.askForConfig();
  const search = (event: Event) => {
    wanted = (event.target as HTMLInputElement).value.trim().toLowerCase();
    app.changed();
  };
  return [
    h("section", { "aria-labelledby": "config-heading" },
      h("div", { class: "heading" },
        h("h2", { id: "config-heading" }, "Configuration"),
        h("label", null, "Find ", h("input", { type: "search", oninput: search, autocomplete: "off" }))),
      app.job && h("p", { class: "dim" }, "As the job began with it, defaults included, of ", h("code", null, app.job.job_file), "; checkpoints in ", h("code", null, app.job.storage)),
      remote(app.config, "a list of settings", (config) => groups(config), () => app.askForConfig())),
  ];
}

function groups(config: Config): Child {
  const { vertices = [], checkpoints, restart, api, parallelism, max_parallelism } = config;
  const all: [string, unknown][] = [
    ["job", { parallelism, "max-parallelism": max_parallelism }],
    ["checkpoints", checkpoints],
    ["restart", restart],
    ["api", api],
    ...vertices.map(({ id, settings }): [string, unknown] => [id, settings]),
  ];
  const shown = all.map(([name, settings]): [string, [string, unknown][]] => [name, matching(name, flattened(settings))]).filter(([, entries]) => entries.length > 0);
  return [
    shown.length === 0
      ? empty(wanted ? `No setting has “${wanted}” in it.` : "There is none.")
      : h("div", { class: "settings" }, shown.map(([name, entries]) => h("div", { key: name }, group(name, entries)))),
    promises(config),
  ];
}

/** Settings with those of tables within as `table.name`; what was not said is left out. */
export function flattened(settings: unknown, within = ""): [string, unknown][] {
  if (typeof settings !== "object" || settings === null || Array.isArray(settings)) return [];
  return Object.entries(settings).flatMap(([name, value]): [string, unknown][] => {
    const inner = flattened(value, `${within}${name}.`);
    if (inner.length > 0) return inner;
    return value === undefined || value === null ? [] : [[`${within}${name}`, value]];
  });
}

/** What follows from the settings: what becomes of records after a failure, of their order, and of event time. */
function promises({ paths = [], orders = [], times = [], remarks = [] }: Config): Child {
  const words = (text: string) => text.replaceAll("-", " ");
  type Path = (typeof paths)[number];
  type Order = (typeof orders)[number];
  type Time = (typeof times)[number];
  const of_paths: Column<Path>[] = [
    { name: "From and to", cell: ({ source, sink }) => `${source} → ${sink}` },
    { name: "Delivery", cell: ({ delivery }) => words(delivery) },
    { name: "Why", wide: true, cell: ({ why }) => withCode(why) },
  ];
  const of_orders: Column<Order>[] = [
    { name: "From and to", cell: ({ source, operator }) => `${source} → ${operator}` },
    { name: "Order", cell: ({ order }) => words(order) },
    { name: "Why", wide: true, cell: ({ why }) => withCode(why) },
  ];
  const of_times: Column<Time>[] = [
    { name: "Step", cell: ({ step }) => step },
    { name: "Timestamps", wide: true, cell: ({ timestamps }) => timestamps ?? "none" },
    { name: "Watermarks", wide: true, cell: ({ watermarks }) => watermarks ?? "none" },
  ];
  if (paths.length + orders.length + times.length + remarks.length === 0) return null;
  return h("section", { class: "promises", "aria-labelledby": "promises-heading" },
    h("h2", { id: "promises-heading" }, "What it promises"),
    paths.length > 0 && table("After a failure", of_paths, paths, ({ source, sink }) => `${source} ${sink}`),
    orders.length > 0 && table("Order of records", of_orders, orders, ({ source, operator }) => `${source} ${operator}`),
    times.length > 0 && table("Time of records", of_times, times, ({ step }) => step),
    remarks.map((remark) => h("p", { key: remark, class: "notice" }, h("span", null, withCode(remark)))));
}

function matching(group_name: string, settings: [string, unknown][]): [string, unknown][] {
  const has = (text: string) => text.toLowerCase().includes(wanted);
  return settings.filter(([name, value]) => has(group_name) || has(name) || has(valueText(value)));
}

function group(name: string, entries: [string, unknown][]): Child {
  return scrolling(`Settings of ${name}`,
    h("table", null,
      h("caption", null, name),
      h("thead", { class: "visually-hidden" }, h("tr", null, h("th", { scope: "col" }, "Setting"), h("th", { scope: "col" }, "Value"))),
      h("tbody", null, entries.map(([setting, value]) => h("tr", { key: setting }, h("th", { scope: "row" }, setting), h("td", null, h("code", null, valueText(value))))))));
}
