/** What several sections are made of: tables, shares, messages, what is not there. */
import type { Remote } from "./api.ts";
import { type Child, h, type Props } from "./dom.ts";
import { percent } from "./format.ts";
import type { Shares } from "./rates.ts";

/** A column of a table. */
export interface Column<T> {
  name: string;
  cell(row: T): Child;
  /** Figures stand to the right. */
  number?: boolean;
  /** Its text needs room. */
  wide?: boolean;
}

/** A table with its caption, whose first column names the row; it scrolls within itself where the page is narrow. */
export function table<T>(caption: string, columns: Column<T>[], rows: T[], key: (row: T) => string, after?: (row: T) => Child): Child {
  const of = (column: Column<T>): Props => ({ class: column.number ? "number" : column.wide ? "wide" : null });
  return scrolling(
    caption,
    h("table", null,
      h("caption", null, caption),
      h("thead", null, h("tr", null, columns.map((column) => h("th", { scope: "col", ...of(column) }, column.name)))),
      h("tbody", null, rows.map((row) => [
        h("tr", { key: key(row) }, columns.map((column, index) =>
          index === 0 ? h("th", { scope: "row", ...of(column) }, column.cell(row)) : h("td", of(column), column.cell(row)))),
        after?.(row),
      ])),
    ),
  );
}

/** What may be wider than the page, and is scrolled within itself then. */
export function scrolling(label: string, ...children: Child[]): Child {
  return h("div", { class: "scrolling", "data-label": label }, children);
}

/** Lets the keyboard scroll what is wider than the page, and makes a stop of nothing else. */
export function markScrolling(within: ParentNode): void {
  for (const element of within.querySelectorAll<HTMLElement>(".scrolling")) {
    const scrolls = element.scrollWidth > element.clientWidth;
    if (scrolls === element.hasAttribute("tabindex")) continue;
    const marks = { tabindex: "0", role: "region", "aria-label": element.dataset["label"] ?? "" };
    for (const [name, value] of Object.entries(marks)) scrolls ? element.setAttribute(name, value) : element.removeAttribute(name);
  }
}

/** Names and values; those without a value are left out. */
export function facts(entries: [string, Child][]): Child {
  const there = entries.filter(([, value]) => value !== null && value !== undefined && value !== false);
  return h("dl", { class: "facts" }, there.map(([name, value]) => h("div", { key: name }, h("dt", null, name), h("dd", null, value))));
}

/** Parts of one whole as a bar. What it says is said in words beside it, so it is hidden from who does not see it. */
export function bar(parts: { name: string; share: number }[], of = 1): Child {
  return h("span", { class: "bar", "aria-hidden": "true" }, parts.map(({ name, share }) =>
    h("span", { key: name, class: `part ${name}`, style: { width: `${of > 0 ? Math.min(100, (share / of) * 100) : 0}%` } })));
}

/** How a task spends its time, as a bar. */
export function sharesBar(shares: Shares | null): Child {
  if (!shares) return bar([]);
  const names = ["busy", "backpressured", "idle"] as const;
  return bar(names.map((name) => ({ name, share: shares[name] })));
}

/** How a task spends its time, in words. */
export function sharesText(shares: Shares | null): string {
  if (!shares) return "not known yet";
  return `busy ${percent(shares.busy)}, backpressured ${percent(shares.backpressured)}, idle ${percent(shares.idle)}`;
}

/** The share that is largest, by which a task is coloured. */
export function largestShare(shares: Shares | null): keyof Shares | "unknown" {
  if (!shares) return "unknown";
  if (shares.busy >= shares.backpressured && shares.busy >= shares.idle) return "busy";
  return shares.backpressured >= shares.idle ? "backpressured" : "idle";
}

/** A message with what helps, and a backtrace folded behind its first line. */
export function message(text: string, hint: string | null | undefined, backtrace?: string | null): Child {
  const [first = "", ...rest] = text.split("\n");
  const folded = backtrace || rest.join("\n").trimEnd();
  return h("div", { class: "message" },
    h("p", { class: "first" }, withCode(first)),
    hint && h("p", { class: "hint" }, h("span", { class: "label" }, "What helps: "), withCode(hint)),
    folded && h("details", null, h("summary", null, "Backtrace"), h("pre", { tabindex: 0 }, folded)));
}

/** What stands between backticks, as code. */
export function withCode(text: string): Child[] {
  const parts = text.split("`");
  // An odd one is a lone backtick, which stays what it is.
  if (parts.length % 2 === 0) return [text];
  return parts.map((part, index) => (index % 2 === 1 ? h("code", null, part) : part)).filter((part) => part !== "");
}

/** What a section shows of something it asked for: that it comes, that it failed, that this weir has no such thing, or what it is. */
export function remote<T>(of: Remote<T>, what: string, show: (data: T) => Child, again: () => void): Child {
  if (of.missing) return empty(`This weir does not have ${what}.`);
  if (of.error) {
    return h("div", { class: "notice failed" }, message(`${what}: ${of.error.message}`, of.error.hint),
      h("button", { type: "button", onclick: again }, "Try again"));
  }
  if (of.data) return show(of.data);
  return of.loading ? h("p", { class: "empty", "aria-busy": "true" }, "Loading …") : null;
}

/** A control under its name, and what there is to know of it. The control refers to that by its id. */
export function field(name: string, control: Child, help?: { id: string; text: string }): Child {
  return h("div", { class: "field" }, h("label", null, h("span", { class: "name" }, name), control), help && h("p", { id: help.id, class: "dim" }, help.text));
}

/** A box to tick, with what that means. */
export function check(name: string, text: string, meaning: string): Child {
  return h("div", { class: "choice" }, h("input", { type: "checkbox", name, id: name, "aria-describedby": `${name}-help` }),
    h("div", null, h("label", { for: name }, h("strong", null, text)), h("p", { id: `${name}-help`, class: "dim" }, meaning)));
}

/** That there is nothing to show, and why. */
export function empty(text: string): Child {
  return h("p", { class: "empty" }, text);
}

/** A word for a state, with its colour beside it. */
export function pill(level: string, text: string): Child {
  return h("span", { class: `pill ${level}` }, text);
}
