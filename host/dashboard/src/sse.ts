/** Reads server-sent events of a stream of text, as far as the host writes them: `event`, `data`, comments. Pure. */

/** What came. */
export interface ServerEvent {
  event: string;
  data: string;
}

/** An event is longer than this only where something is wrong. */
const LONGEST = 16 * 1024 * 1024;

/** Takes pieces of the stream as they come and gives the events that they complete. */
export class EventReader {
  #rest = "";

  /** The events that `piece` completes. Throws where one has no end within 16 MiB. */
  push(piece: string): ServerEvent[] {
    this.#rest = (this.#rest + piece).replace(/\r\n/g, "\n");
    const blocks = this.#rest.split("\n\n");
    this.#rest = blocks.pop() ?? "";
    if (this.#rest.length > LONGEST) throw new Error("an event has no end");
    return blocks.flatMap(read);
  }
}

function read(block: string): ServerEvent[] {
  let event = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") event = value;
    if (field === "data") data.push(value);
  }
  return data.length > 0 ? [{ event, data: data.join("\n") }] : [];
}
