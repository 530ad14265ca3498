// What an author throws, and what becomes of whatever is thrown.

/** A failure of the record that is being worked on, told by its message alone. Everything else that is thrown is told with its stack. */
export class Failure extends Error {
  get name() {
    return 'Failure';
  }
}

/** How many lines of a stack are told. */
const STACK_LINES_MAX = 12;
/** How many causes of an error are told. */
const CAUSES_MAX = 4;

/** Says what was thrown, for the host: of a `Failure` the message, of another error its name, message, stack and causes. */
export function messageOf(thrown) {
  // The boundary takes no half of a surrogate pair: it traps.
  return textOf(thrown).toWellFormed();
}

function textOf(thrown) {
  if (thrown instanceof Failure) return withCause(String(thrown.message), thrown);
  if (thrown instanceof Error) {
    const stack = stackLines(thrown);
    return withCause([`${thrown.name}: ${thrown.message}`, ...stack].join('\n'), thrown);
  }
  return typeof thrown === 'string' ? thrown : `${shown(thrown)} was thrown, which is no Error`;
}

function shown(thrown) {
  try {
    return typeof thrown === 'object' && thrown !== null ? (JSON.stringify(thrown) ?? String(thrown)) : String(thrown);
  } catch {
    return 'a value that has no text';
  }
}

function withCause(message, error, depth = 0) {
  const { cause } = error;
  if (cause === undefined || depth === CAUSES_MAX) return message;
  const told = cause instanceof Error ? [`${cause.name}: ${cause.message}`, ...stackLines(cause)].join('\n') : shown(cause);
  const whole = `${message}\ncaused by ${told}`;
  return cause instanceof Error ? withCause(whole, cause, depth + 1) : whole;
}

/** The lines of an error's stack, without its message, which V8 puts before them and QuickJS does not. */
function stackLines(error) {
  const lines = String(error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return lines.map(inSource).filter((line) => line !== undefined).slice(0, STACK_LINES_MAX);
}

/**
 * A line of a stack with the place in the author's source in place of the one in the bundle. The build leaves a table of both behind;
 * a line of the SDK or of the engine itself is `undefined`.
 */
export function inSource(line) {
  const table = globalThis.__weirLines;
  const place = /:(\d+)(?::\d+)?\)?\s*$/.exec(line);
  if (table === undefined) return `    ${line.trim()}`;
  if (place === null) return undefined;
  const source = table.lines[Number(place[1]) - 1];
  if (source === undefined || source === 0) return undefined;
  const [file, number] = [table.sources[source[0]], source[1]];
  const name = /at (?:async )?([^\s(]+) \(/.exec(line)?.[1];
  return name === undefined || name === '<anonymous>' ? `    at ${file}:${number}` : `    at ${name} (${file}:${number})`;
}
