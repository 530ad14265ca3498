/** Light or dark: as the system has it, or as the reader has chosen on this address. */

const CHOSEN = "weir-scheme";

/** What was chosen: `auto`, `light` or `dark`. */
export function scheme(): string {
  const chosen = localStorage.getItem(CHOSEN);
  return chosen === "light" || chosen === "dark" ? chosen : "auto";
}

/** Chooses, and keeps that. */
export function setScheme(chosen: string): void {
  localStorage.setItem(CHOSEN, chosen);
  applyScheme();
}

/** Has the document show what was chosen. */
export function applyScheme(): void {
  document.documentElement.dataset["scheme"] = scheme();
}
