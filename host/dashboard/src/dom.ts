/**
 * Brings the document to what a section describes, changing only what differs: focus, scroll positions, open details and half-typed input stay
 * over the update of every second.
 *
 * Invariant: text gets into the document as text nodes and attributes alone, never as markup, and no attribute holds style or script.
 */

type Handler = (event: Event) => void;
/** Attributes by name, `on…` handlers, `style` as properties, `key` among siblings. `false` and `null` leave an attribute out. */
export type Props = Record<string, string | number | boolean | null | undefined | Handler | Record<string, string>>;
export type Child = Node_ | string | number | null | undefined | false | Child[];

/** A described element. */
interface Node_ {
  tag: string;
  props: Props;
  children: Child[];
  /** Makes the element's content itself; its children are left alone. */
  own?: (element: HTMLElement) => void;
}

/** An element of HTML, or of SVG where the tag is one of its. */
export function h(tag: string, props: Props | null, ...children: Child[]): Node_ {
  return { tag, props: props ?? {}, children };
}

/** An element whose content `fill` makes once it is there, and again at each update. */
export function owned(tag: string, props: Props, fill: (element: HTMLElement) => void): Node_ {
  return { tag, props, children: [], own: fill };
}

const SVG = new Set(["svg", "path", "g", "defs", "marker", "rect", "line", "circle"]);
const described = new WeakMap<Node, Node_>();

/** Makes `parent` hold these children. */
export function patch(parent: Element, children: Child[]): void {
  const wanted = flat(children);
  const keyed = new Map<unknown, ChildNode>();
  for (const node of parent.childNodes) {
    const key = described.get(node)?.props["key"];
    if (key !== undefined) keyed.set(key, node);
  }
  let at: ChildNode | null = parent.firstChild;
  for (const want of wanted) {
    const found = match(at, want, keyed);
    if (found && found !== at) parent.insertBefore(found, at);
    const node = found ?? parent.insertBefore(create(want), at);
    if (found === at) at = at?.nextSibling ?? null;
    update(node, want);
  }
  while (at) {
    const next: ChildNode | null = at.nextSibling;
    at.remove();
    at = next;
  }
}

function flat(children: Child[]): (Node_ | string)[] {
  return children.flatMap((child): (Node_ | string)[] => {
    if (child === null || child === undefined || child === false) return [];
    if (Array.isArray(child)) return flat(child);
    return typeof child === "object" ? [child] : [String(child)];
  });
}

function match(at: ChildNode | null, want: Node_ | string, keyed: Map<unknown, ChildNode>): ChildNode | null {
  if (typeof want === "string") return at?.nodeType === Node.TEXT_NODE ? at : null;
  const key = want.props["key"];
  const found = key === undefined ? at : (keyed.get(key) ?? null);
  const was = found && described.get(found);
  return was && was.tag === want.tag && was.props["key"] === key ? found : null;
}

function create(want: Node_ | string): ChildNode {
  if (typeof want === "string") return document.createTextNode(want);
  return SVG.has(want.tag) ? document.createElementNS("http://www.w3.org/2000/svg", want.tag) : document.createElement(want.tag);
}

function update(node: ChildNode, want: Node_ | string): void {
  if (typeof want === "string") {
    if (node.nodeValue !== want) node.nodeValue = want;
    return;
  }
  const element = node as HTMLElement;
  const before = described.get(node)?.props ?? {};
  described.set(node, want);
  for (const name of Object.keys(before)) if (!(name in want.props)) setProp(element, name, null, before[name]);
  for (const [name, value] of Object.entries(want.props)) setProp(element, name, value, before[name]);
  if (want.own) want.own(element);
  else patch(element, want.children);
}

function setProp(element: HTMLElement, name: string, value: Props[string], before: Props[string]): void {
  if (name === "key" || value === before) return;
  if (name.startsWith("on")) {
    (element as unknown as Record<string, unknown>)[name] = value ?? null;
  } else if (name === "style") {
    const styles = (value ?? {}) as Record<string, string>;
    const old = (before ?? {}) as Record<string, string>;
    for (const property of Object.keys(old)) if (!(property in styles)) element.style.removeProperty(property);
    for (const [property, text] of Object.entries(styles)) if (old[property] !== text) element.style.setProperty(property, text);
  } else if (name === "value" || name === "checked") {
    (element as unknown as Record<string, unknown>)[name] = value;
  } else if (value === false || value === null || value === undefined) {
    element.removeAttribute(name);
  } else {
    element.setAttribute(name, value === true ? "" : String(value));
  }
}
