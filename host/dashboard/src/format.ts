/** How figures are shown: counts with separators, rates short, bytes by 1,024, times in the two largest units. Pure. */

const NONE = "–";

/** A count: `12,345`. */
export function count(value: number | null | undefined): string {
  return value == null ? NONE : Math.round(value).toLocaleString("en");
}

/** A count in four characters or so: `12.3 k`. */
export function short(value: number | null | undefined): string {
  if (value == null) return NONE;
  const steps: [number, string][] = [[1e9, " G"], [1e6, " M"], [1e4, " k"]];
  for (const [from, unit] of steps) {
    if (value >= from) return digits(value / (unit === " k" ? 1e3 : from)) + unit;
  }
  return value >= 100 || Number.isInteger(value) ? count(value) : value.toFixed(1);
}

/** Records for each second. */
export function rate(value: number | null | undefined): string {
  return value == null ? NONE : `${short(value)}/s`;
}

/** `1.5 MiB`. */
export function bytes(value: number | null | undefined): string {
  if (value == null) return NONE;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let left = value;
  while (left >= 1024 && unit < units.length - 1) {
    left /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? count(left) : digits(left)} ${units[unit]}`;
}

/** A share of one, in percent. */
export function percent(share: number | null | undefined): string {
  return share == null ? NONE : `${Math.round(share * 100)} %`;
}

/** How long something takes: `340 ms`, `1.2 s`, `3 min 20 s`, `2 d 4 h`. */
export function duration(ms: number | null | undefined): string {
  if (ms == null) return NONE;
  if (ms < 1) return ms > 0 ? "< 1 ms" : "0 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${digits(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  return parts.slice(first, first + 2).filter(([value]) => value > 0).map(([value, unit]) => `${value} ${unit}`).join(" ");
}

/** How long ago a point in time is; `just now` within a second, and for what a clock of elsewhere puts into the future. */
export function ago(at_ms: number | null | undefined, now_ms: number): string {
  if (at_ms == null) return NONE;
  const past = now_ms - at_ms;
  return past < 1000 ? "just now" : `${duration(Math.floor(past / 1000) * 1000)} ago`;
}

/** A point in time by the clock of the reader: `14:03:22`, with the date where it is of another day than `now_ms`. */
export function clock(at_ms: number | null | undefined, now_ms: number): string {
  if (at_ms == null || !Number.isFinite(at_ms)) return NONE;
  const at = new Date(at_ms);
  if (Number.isNaN(at.getTime())) return `${at_ms} ms`;
  const two = (part: number) => String(part).padStart(2, "0");
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const sameDay = new Date(now_ms).toDateString() === at.toDateString();
  return sameDay ? time : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

/** One thing or several: `1 record`, `3 records`. */
export function plural(value: number, one: string, several = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : several}`;
}

/** A value of a state or a record: text as it is, everything else as JSON, 4,000 characters of it. */
export function valueText(value: unknown, indent = 0): string {
  const most = 4000;
  const text = value == null ? NONE : typeof value === "string" ? value : JSON.stringify(value, null, indent);
  return text.length > most ? `${text.slice(0, most)} … (${count(text.length)} characters)` : text;
}

/** The first 12 hex digits of a digest. */
export function digest(value: string | null | undefined): string {
  return value ? value.replace(/^sha256:/, "").slice(0, 12) : NONE;
}

function digits(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(1).replace(/\.0$/, "");
}
