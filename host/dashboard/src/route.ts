/** Where in the page the reader is, as the address has it behind `#`. Pure. */

export type Section = "graph" | "checkpoints" | "errors" | "state" | "config";

export interface Route {
  section: Section;
  /** The vertex whose details are shown, of the graph. */
  vertex: string | null;
}

/** The sections in their order, with what they are called. */
export const SECTIONS: [Section, string][] = [
  ["graph", "Graph"],
  ["checkpoints", "Checkpoints"],
  ["errors", "Errors"],
  ["state", "State and windows"],
  ["config", "Configuration"],
];

/** Where an address leads: the graph, where it names no section. */
export function routeOf(hash: string): Route {
  const [, first = "", second = ""] = hash.split("/");
  if (first === "step") return { section: "graph", vertex: decoded(second) };
  const section = SECTIONS.find(([name]) => name === first)?.[0] ?? "graph";
  return { section, vertex: null };
}

/** The address of a section. */
export function sectionAddress(section: Section): string {
  return section === "graph" ? "#/" : `#/${section}`;
}

/** The address of a vertex's details. */
export function vertexAddress(id: string): string {
  return `#/step/${encodeURIComponent(id)}`;
}

function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part) || null;
  } catch {
    return null;
  }
}
