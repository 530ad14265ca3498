/** Follows the job's events, and connects again where the stream breaks off: after half a second, then ever later up to 10 s. */
import { type Api, ApiError } from "./api.ts";
import type { Ended, Job } from "./contract.ts";
import { EventReader } from "./sse.ts";

/** How the stream is. */
export type Connection = { state: "connecting" } | { state: "live" } | { state: "waiting"; until_ms: number } | { state: "ended" } | { state: "refused" };

/** Who is told of what comes. */
export interface Listener {
  job(job: Job): void;
  ended(ended: Ended): void;
  connection(connection: Connection): void;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
/** The host sends each second: where nothing came for so long, nothing comes any more. */
const SILENCE_MS = 15_000;

export class Stream {
  #pause_ms = FIRST_PAUSE_MS;
  #running = false;
  #wake: () => void = () => {};

  constructor(
    private readonly api: Api,
    private readonly to: Listener,
  ) {}

  /** Begins, or goes on at once where it waits. */
  start(): void {
    this.#pause_ms = FIRST_PAUSE_MS;
    this.#wake();
    if (this.#running) return;
    this.#running = true;
    void this.#follow().finally(() => (this.#running = false));
  }

  async #follow(): Promise<void> {
    for (;;) {
      this.to.connection({ state: "connecting" });
      try {
        if (await this.#once()) return this.to.connection({ state: "ended" });
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) return this.to.connection({ state: "refused" });
      }
      this.to.connection({ state: "waiting", until_ms: Date.now() + this.#pause_ms });
      await new Promise<void>((wake) => {
        this.#wake = wake;
        setTimeout(wake, this.#pause_ms);
      });
      this.#pause_ms = Math.min(this.#pause_ms * 2, LONGEST_PAUSE_MS);
    }
  }

  /** One connection; whether the job has ended. */
  async #once(): Promise<boolean> {
    const silence = new AbortController();
    let alarm = setTimeout(() => silence.abort(), SILENCE_MS);
    try {
      const answer = await this.api.request("GET", "v1/events", {}, undefined, silence.signal);
      const stream = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
      const reader = new EventReader();
      for (;;) {
        const piece = await stream?.read();
        if (!piece || piece.done) return false;
        clearTimeout(alarm);
        alarm = setTimeout(() => silence.abort(), SILENCE_MS);
        for (const { event, data } of reader.push(piece.value)) if (this.#tell(event, data)) return true;
      }
    } finally {
      clearTimeout(alarm);
      silence.abort();
    }
  }

  #tell(event: string, data: string): boolean {
    if (event === "job") {
      this.#pause_ms = FIRST_PAUSE_MS;
      this.to.connection({ state: "live" });
      this.to.job(JSON.parse(data) as Job);
    }
    if (event === "ended") this.to.ended(JSON.parse(data) as Ended);
    return event === "ended";
  }
}
