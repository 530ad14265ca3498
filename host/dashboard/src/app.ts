/** What the page knows and where it is; the sections show it, and say here what they ask for. */
import { Api, Remote } from "./api.ts";
import type { Checkpoint, Config, ConfigVertex, Ended, Failure, Job, KeyState, OpenApi, QuarantineRecord } from "./contract.ts";
import { History } from "./rates.ts";
import { type Route, routeOf } from "./route.ts";
import { type Connection, Stream } from "./stream.ts";

/** What an action came to, shown until it is put away. */
export interface Notice {
  id: number;
  level: "ok" | "failed";
  text: string;
  hint: string | null;
}

/** Notices that are shown at once; the oldest one goes. */
const NOTICES = 5;
/** While a checkpoint is under way its figures are asked for again after this time. */
const AGAIN_MS = 3000;

export class App {
  readonly api = new Api();
  readonly history = new History();
  job: Job | null = null;
  ended: Ended | null = null;
  connection: Connection = { state: "connecting" };
  /** The token that was given is the wrong one, or there is none. */
  needsToken: "no" | "first" | "wrong" = "no";
  route: Route = routeOf(location.hash);
  notices: Notice[] = [];
  /** When the document that is shown came, ms since 1970. */
  heard_ms: number | null = null;

  readonly checkpoints = new Remote<{ checkpoints: Checkpoint[] }>(() => this.changed());
  readonly failures = new Remote<{ failures: Failure[] }>(() => this.changed());
  readonly config = new Remote<Config>(() => this.changed());
  readonly openapi = new Remote<OpenApi>(() => this.changed());
  readonly quarantine = new Remote<{ records: QuarantineRecord[] }>(() => this.changed());
  readonly keyState = new Remote<{ states: KeyState[] }>(() => this.changed());
  readonly stream: Stream;

  #draw: () => void = () => {};
  #followers = new Set<() => void>();
  #drawing = false;
  #notice = 0;
  #asked_ms = 0;
  /** How the connection was when it was told last: only changes are told. */
  #told: Connection["state"] = "connecting";

  constructor() {
    this.stream = new Stream(this.api, {
      job: (job) => this.#heard(job),
      ended: (ended) => this.#end(ended),
      connection: (connection) => this.#connected(connection),
    });
    this.api.onUnauthorized = () => {
      this.needsToken = this.api.token === null ? "first" : "wrong";
      this.changed();
    };
  }

  /** Has `draw` called behind each change, once for all that come together. */
  start(draw: () => void): void {
    this.#draw = draw;
    this.stream.start();
    this.changed();
  }

  /** Something that is shown is other than it was. */
  changed(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    queueMicrotask(() => {
      this.#drawing = false;
      this.#draw();
      this.#followers.forEach((follow) => follow());
    });
  }

  /** Has `draw` called behind each change too, until what this gives is called. */
  follow(draw: () => void): () => void {
    this.#followers.add(draw);
    return () => this.#followers.delete(draw);
  }

  /** The host's clock now, ms since 1970. */
  now_ms(): number {
    const { job, heard_ms } = this;
    return job?.now_ms !== undefined && heard_ms !== null ? job.now_ms + (Date.now() - heard_ms) : Date.now();
  }

  /** Takes a token from the form and begins anew. */
  useToken(token: string): void {
    this.api.setToken(token);
    this.needsToken = "no";
    this.stream.start();
    this.changed();
  }

  /** Shows an outcome, and has it read out. */
  notify(level: Notice["level"], text: string, hint: string | null = null): void {
    this.notices = [...this.notices, { id: ++this.#notice, level, text, hint }].slice(-NOTICES);
    announce(hint ? `${text}. ${hint}` : text);
    this.changed();
  }

  dismiss(id: number): void {
    this.notices = this.notices.filter((notice) => notice.id !== id);
    this.changed();
  }

  /** Whether this weir has the route: an older one has fewer. */
  has(method: "get" | "post", path: string): boolean {
    return this.openapi.data?.paths[path]?.[method] !== undefined;
  }

  /** The step as the job began with it. */
  configOf(id: string): ConfigVertex | undefined {
    return this.config.data?.vertices?.find((vertex) => vertex.id === id);
  }

  /** What stays as it is while the job runs. */
  #askForWhatStays(): void {
    this.checkpoints.clear();
    this.failures.clear();
    void this.openapi.load(() => this.api.get("openapi.json"));
    this.askForConfig();
  }

  askForCheckpoints(): void {
    if (this.checkpoints.missing) return;
    this.#asked_ms = Date.now();
    void this.checkpoints.load(() => this.api.get("v1/checkpoints"));
  }

  askForFailures(): void {
    if (this.failures.missing) return;
    void this.failures.load(() => this.api.get("v1/failures"));
  }

  askForConfig(): void {
    void this.config.load(() => this.api.get("v1/config"));
  }

  #heard(job: Job): void {
    const before = this.job;
    this.job = job;
    this.ended = null;
    this.heard_ms = Date.now();
    this.history.add(job, this.heard_ms / 1000);
    if (before?.pid !== job.pid) this.#askForWhatStays();
    const counts = (of: Job | null) => of && `${of.pid} ${of.checkpoints_completed} ${of.checkpoints_failed} ${of.last_checkpoint?.id}`;
    const looked_at = this.route.section === "checkpoints" && Date.now() - this.#asked_ms >= AGAIN_MS;
    if (counts(before) !== counts(job) || looked_at) this.askForCheckpoints();
    if (before?.restarts !== job.restarts || before?.pid !== job.pid) this.askForFailures();
    this.changed();
  }

  #end(ended: Ended): void {
    this.ended = ended;
    announce(`The job has ended: ${ended.outcome}`);
    this.changed();
  }

  #connected(connection: Connection): void {
    this.connection = connection;
    const lost = connection.state === "waiting" && this.#told === "live";
    const again = connection.state === "live" && this.#told === "waiting";
    if (lost) announce("The connection to the job is lost");
    if (again) announce("The connection to the job is there again");
    if (connection.state === "live" || lost) this.#told = connection.state;
    if (connection.state !== "live") this.changed();
  }
}

/** Has a screen reader say it when it has come to an end of what it says. */
export function announce(text: string): void {
  const region = document.getElementById("announcer");
  if (region) region.textContent = text;
}
