/**
 * What the API says, as this page reads it. Fields that a job may leave out are optional here: the page shows less then, and never fails.
 * Unknown fields are ignored. Times that are points end in `_ms` (since 1970) or are seconds of the process; sums are since the process began.
 */

/** `GET /v1/job`, and each `event: job`. */
export interface Job {
  job: string;
  /** `running`, or how it ended. */
  state: string;
  /** All subtasks run; false while a checkpoint is being restored. */
  running?: boolean;
  pid: number;
  uptime_s: number;
  /** The clock of the host, by which ages are counted; the browser's where it is not said. */
  now_ms?: number;
  job_file: string;
  storage: string;
  version: string;
  cpu_s?: number;
  memory_bytes?: number;
  vertices: Vertex[];
  edges?: Edge[];
  checkpoints_completed: number;
  checkpoints_failed: number;
  last_checkpoint: LastCheckpoint | null;
  restarts: number;
  change: Change | null;
  outboxes?: Outbox[];
}

/** What goes from one vertex to another. */
export interface Edge {
  from: string;
  to: string;
  /** How records find their subtask: `key`, `forward`, `rebalance`, `broadcast`. */
  by: string;
  output?: string | null;
  input?: string | null;
}

export type Kind = "source" | "operator" | "sink";

/** A step of the job. */
export interface Vertex {
  id: string;
  kind?: Kind;
  connector?: string | null;
  /** SHA-256 of an operator's component, in hex, where it is known. */
  digest?: string | null;
  /** The first vertex of the task that this one is chained into. */
  task?: string;
  parallelism: number;
  records_in: number;
  records_out: number;
  quarantined: number;
  late?: number;
  open_windows?: number;
  oldest_window_ms?: number | null;
  timers?: number;
  oldest_timer_ms?: number | null;
  skipped?: number;
  ahead?: number;
  /** How far event time has come, ms since 1970. */
  watermark?: number;
  state_bytes?: number;
  lag?: Lag | null;
  trouble?: string | null;
  reference?: Reference | null;
  plugin?: Plugin | null;
  metrics?: Record<string, number>;
  subtasks?: Subtask[];
}

/** What a source has not read yet. */
export interface Lag {
  /** `bytes` or `records`. */
  unit: string | null;
  total: number | null;
  largest: number | null;
  largest_split: string | null;
  splits?: { split: string; lag: number }[];
  unknown_splits: number;
}

/** What led to a plugin that is in no file. */
export interface Reference {
  named: string;
  manifest: string | null;
  component: string;
}

/** A guest component, and what it has taken of what it may. */
export interface Plugin {
  name?: string | null;
  version?: string | null;
  language?: string | null;
  /** SHA-256 of the component, in hex. */
  digest?: string | null;
  instances_recycled: number;
  fuel: number | null;
  /** How often a call came to an end at each limit. */
  limits?: Record<string, number>;
  time_s?: number | null;
  memory_bytes?: number | null;
}

/** One of the parallel instances of a vertex. The three times are those of its task, and null where it is not the first of its task. */
export interface Subtask {
  index: number;
  records_in: number;
  records_out: number;
  bytes_in: number;
  bytes_out: number;
  batches: number;
  batch_s: number;
  busy_s: number | null;
  idle_s: number | null;
  backpressured_s: number | null;
}

export interface LastCheckpoint {
  id: number;
  duration_ms: number;
  bytes: number;
}

/** A rescale or an upgrade that is under way. */
export interface Change {
  id: number;
  what: string;
  operator: string | null;
  /** `preparing`, `changing over` or `probation`. */
  phase: string;
  checkpoint: number | null;
  probation_ms?: number | null;
  /** When its probation began, ms since 1970. */
  since_ms?: number | null;
}

/** Output that is staged with checkpoints and published behind them. */
export interface Outbox {
  sink: string;
  unpublished_checkpoints: number;
  oldest_unpublished: number | null;
  unpublished_bytes: number;
  oldest_unpublished_age_s?: number | null;
  is_full: boolean;
  retries?: number;
  last_error?: { message: string; age_s: number } | null;
}

/** `event: ended`. */
export interface Ended {
  outcome: string;
  error?: string | null;
  hint?: string | null;
}

/** An entry of `GET /v1/checkpoints`. */
export interface Checkpoint {
  id: number;
  state: "completed" | "failed" | "pending";
  trigger: string;
  triggered_at_ms: number;
  /** Not known, or 0, while it is under way. */
  duration_ms: number | null;
  bytes: number | null;
  reason?: string | null;
  tasks?: CheckpointTask[];
}

/** What one subtask took for a checkpoint; `null` is not over yet. */
export interface CheckpointTask {
  /** The first vertex of its task. */
  vertex: string;
  subtask: number;
  alignment_ms: number | null;
  capture_ms: number | null;
  upload_ms: number | null;
  /** Of the state that its part stands for, whether it was written anew or not. */
  state_bytes: number;
  in_flight_bytes: number;
}

/** An entry of `GET /v1/failures`. */
export interface Failure {
  at_ms: number;
  message: string;
  hint?: string | null;
  /** The record that it came with, where it is of one. */
  record?: FailedRecord | null;
}

/** A record as a failure tells of it. */
export interface FailedRecord {
  operator: string;
  key: unknown;
  value: unknown;
  timestamp?: number | null;
}

/** `GET /v1/config`, which is what `weir check` says: a setting's name and its value as it holds. */
export type Settings = Record<string, unknown>;
export interface Config {
  parallelism?: number;
  max_parallelism?: number;
  checkpoints?: Settings;
  restart?: Settings;
  api?: Settings;
  vertices?: ConfigVertex[];
  /** What becomes of a record after a failure, for each way from a source to a sink. */
  paths?: { source: string; sink: string; delivery: string; why: string }[];
  /** How far the order of a key's records goes. */
  orders?: { source: string; operator: string; order: string; why: string }[];
  /** Where event time comes from. */
  times?: { step: string; timestamps: string | null; watermarks: string | null }[];
  remarks?: string[];
}

/** A step as the job began with it. */
export interface ConfigVertex {
  id: string;
  /** The connector, or the operator's name and version with the first digits of its digest, or `(native)`. */
  runs?: string;
  settings?: Settings;
  timers?: { name: string; time: string }[];
}

/** `GET /openapi.json`, as far as it says which routes there are. */
export interface OpenApi {
  paths: Record<string, Record<string, unknown>>;
}

/** A record that was set aside, of `GET /v1/quarantine`. */
export interface QuarantineRecord {
  operator: string;
  key: unknown;
  value: unknown;
  timestamp?: number | null;
  error: string;
  backtrace?: string | null;
}

/** A state of a key, of `GET /v1/state`. */
export interface KeyState {
  name: string;
  value: unknown;
  /** Where the window begins that it is in, or the number of a count. */
  window?: unknown;
  /** It holds more than is shown. */
  truncated?: boolean;
}

/** What `POST /v1/upgrade/check` finds out of a component before it is run. */
export interface UpgradeCheck {
  fits: boolean;
  plugin?: Plugin;
  /** What would change, a sentence each. */
  changes?: string[];
  problems?: { message: string; hint?: string | null }[];
}
