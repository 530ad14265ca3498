// Durations as a job file writes them: `500ms`, `30s`, `1h 30m`, `7d`.

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The ms of a duration; `undefined` where the text is none. */
export function durationMs(text) {
  const parts = typeof text === 'string' ? text.trim().split(/\s+/) : [];
  const ms = parts.map((part) => {
    const [, digits, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(part) ?? [];
    return digits === undefined ? NaN : Number(digits) * UNITS[unit];
  });
  const sum = ms.reduce((sum, each) => sum + each, 0);
  return parts.length > 0 && Number.isSafeInteger(sum) ? sum : undefined;
}
