// What the two operators share. What they do, word by word, is written in `tests/conformance/README.md`.

/** The first word of a command, and what is behind the space that follows it. */
export function words(text) {
  const space = text.indexOf(' ');
  return space < 0 ? [text, ''] : [text.slice(0, space), text.slice(space + 1)];
}

/** What there is, as text; `none` where there is nothing. */
export function orNone(of) {
  return String(of ?? 'none');
}
