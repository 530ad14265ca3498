/**
 * The job that the test server shows: orders → parse (chained) → count (keyed, two subtasks, one of them hot) → counts (an outbox that waits), and beside it
 * an archive. Every figure follows from the seconds that have passed.
 */

const STARTED_MS = Date.now() - 4 * 3600_000;
export const HOSTILE = `{"id":7,"note":"<img src=x onerror=\\"document.title='owned'\\"><script>alert(1)</script>"}`;

const BACKTRACE = `operator \`count\`: the guest trapped: wasm trap: integer divide by zero
    0:   0x1f2a - count::mean::<impl Operator for Mean>::process
                    at /src/count/src/lib.rs:42:21
    1:   0x2b10 - weir_sdk::export::process_batch
                    at /src/sdk/src/export.rs:118:9
    2:   0x0c41 - count.wasm!process`;

/** What each step does each second, and how its task spends its time by subtask: busy, idle, backpressured. */
const STEPS = [
  { id: "orders", kind: "source", connector: "kafka", task: "orders", parallelism: 2, in: 0, out: 12_400, times: [[0.22, 0.04, 0.74], [0.2, 0.09, 0.71]] },
  { id: "parse", kind: "operator", task: "orders", parallelism: 2, in: 12_400, out: 12_396 },
  { id: "count", kind: "operator", task: "count", parallelism: 2, in: 12_396, out: 3_100, times: [[0.98, 0.02, 0], [0.34, 0.66, 0]], skew: [0.74, 0.26] },
  { id: "counts", kind: "sink", connector: "kafka", task: "count", parallelism: 2, in: 3_100, out: 0, skew: [0.74, 0.26] },
  { id: "archive", kind: "sink", connector: "parquet", task: "archive", parallelism: 1, in: 12_396, out: 0, times: [[0.11, 0.89, 0]] },
];

const PLUGINS = {
  parse: { instances_recycled: 0, fuel: null, limits: {}, time_s: 812.4, memory_bytes: 3_400_000 },
  count: { instances_recycled: 3, fuel: 91_234_567_890, limits: { deadline: 2 }, time_s: 9_911.2, memory_bytes: 48_000_000 },
};

const EXTRAS = (t, now_ms) => ({
  orders: {
    watermark: now_ms - 2_300 - 400 * Math.sin(t / 5),
    lag: { unit: "records", total: 184_000 + Math.round(t * 900), largest: 120_000 + Math.round(t * 700), largest_split: "orders/3", unknown_splits: 0,
      splits: [3, 0, 1, 2].map((partition, index) => ({ split: `orders/${partition}`, lag: [120_000 + Math.round(t * 700), 31_000, 20_200, 12_800][index] })) },
  },
  parse: { watermark: now_ms - 2_400, quarantined: 61, digest: "9f".repeat(32), plugin: PLUGINS.parse },
  count: { watermark: now_ms - 6_900, state_bytes: 184_320_000, open_windows: 1_204, timers: 312, oldest_timer_ms: now_ms + 43_000, oldest_window_ms: now_ms - 3_600_000, late: 17, digest: "3c".repeat(32), plugin: PLUGINS.count, metrics: { "zero-prices": 12 + Math.floor(t / 3), "orders-without-price": 4 } },
  counts: { watermark: now_ms - 6_900 },
  archive: { watermark: now_ms - 2_500 },
});

/** The document of the job, `t` seconds after the server began; `shape` is what actions have changed. */
export function job(t, shape) {
  const now_ms = Date.now();
  const up = 14_400 + t;
  const extras = EXTRAS(t, now_ms);
  const vertices = STEPS.map((step) => {
    const parallelism = shape.parallelism[step.id] ?? step.parallelism;
    // Counts are the rates summed up, so that what is made of them swings by a tenth.
    const worked = up - 0.4 * Math.cos(t / 4 + step.id.length);
    const subtasks = Array.from({ length: parallelism }, (_, index) => subtask(step, index, parallelism, up, worked));
    return {
      id: step.id, kind: step.kind, connector: step.connector ?? null, task: step.task, parallelism,
      records_in: Math.round(step.in * worked), records_out: Math.round(step.out * worked), quarantined: 0, late: 0, open_windows: 0, skipped: 0, ahead: 0, state_bytes: 0,
      lag: null, trouble: null, reference: null, plugin: { instances_recycled: 0, fuel: null, limits: {}, time_s: 0, memory_bytes: 0 }, metrics: {}, subtasks, ...extras[step.id],
    };
  });
  return {
    schema: 1, job: "order-means", state: "running", running: true, pid: 4711, uptime_s: up, now_ms, job_file: "/srv/orders/job.toml", storage: "s3://company-orders/weir", version: "0.1.0",
    cpu_s: up * 1.43, memory_bytes: 412_000_000 + Math.round(4e6 * Math.sin(t)), vertices,
    edges: [
      { from: "orders", to: "parse", by: "forward", output: "out", input: 0 }, { from: "parse", to: "count", by: "key", output: "out", input: 0 },
      { from: "count", to: "counts", by: "forward", output: "out", input: 0 }, { from: "parse", to: "archive", by: "rebalance", output: "copies", input: 0 },
    ],
    checkpoints_completed: 1_438 + shape.checkpoints, checkpoints_failed: 1, last_checkpoint: { id: 1_440 + shape.checkpoints, duration_ms: 1_840, bytes: 9_400_000 }, restarts: 1, change: shape.change,
    outboxes: [{ sink: "counts", unpublished_checkpoints: 2, oldest_unpublished: 1_439, unpublished_bytes: 6_300_000, oldest_unpublished_age_s: 21 + t, is_full: false, retries: 4, last_error: { message: "the broker broker-2:9092 does not answer: connection refused", age_s: 3 } }],
    added_later: { that: "is ignored" },
  };
}

function subtask(step, index, parallelism, up, worked) {
  const part = step.skew && parallelism === 2 ? step.skew[index] : 1 / parallelism;
  const times = step.times?.[index] ?? step.times?.[0];
  const [records_in, records_out] = [Math.round(step.in * worked * part), Math.round(step.out * worked * part)];
  const batches = Math.max(1, Math.round(Math.max(records_in, records_out) / 1000));
  return {
    index, records_in, records_out, bytes_in: records_in * 118, bytes_out: records_out * 96, batches, batch_s: batches * (step.id === "count" ? 0.081 : 0.004),
    busy_s: times ? times[0] * up : null, idle_s: times ? times[1] * up : null, backpressured_s: times ? times[2] * up : null,
  };
}

/** The history of checkpoints: a slow one, a failed one, a pending one. */
export function checkpoints(shape) {
  const newest = 1_440 + shape.checkpoints;
  const one = (back) => {
    const [slow, failed] = [back === 3, back === 5];
    const tasks = STEPS.flatMap(({ id, task, parallelism }) => (id !== task ? [] : Array.from({ length: parallelism }, (_, subtask) => ({
      vertex: id, subtask, alignment_ms: id === "count" ? (slow ? 7_400 : 900) - subtask * 300 : 0, capture_ms: id === "count" ? 38 : 2, upload_ms: id === "count" ? 870 - subtask * 210 : 120,
      state_bytes: id === "count" ? 92_000_000 : 1_200, in_flight_bytes: slow && id === "count" ? 2_400_000 : 0 }))));
    return {
      id: newest - back, state: failed ? "failed" : "completed", trigger: back === 2 ? "savepoint" : back === 0 && shape.checkpoints > 0 ? "requested" : "periodic",
      triggered_at_ms: Date.now() - 10_000 * back - 4_000, duration_ms: failed ? 10_000 : slow ? 8_600 : 1_840, bytes: failed ? null : slow ? 184_000_000 : 9_400_000,
      reason: failed ? "subtask 0 of `count` did not acknowledge it within 10 s: it was in one call for 9.2 s" : null, tasks: failed ? tasks.map((task) => (task.vertex === "count" && task.subtask === 0 ? { ...task, alignment_ms: null, capture_ms: null, upload_ms: null } : task)) : tasks,
    };
  };
  const pending = { id: newest + 1, state: "pending", trigger: "periodic", triggered_at_ms: Date.now() - 300, duration_ms: 0, bytes: 0, reason: null, tasks: [] };
  return { checkpoints: [pending, ...Array.from({ length: 12 }, (_, back) => one(back))] };
}

export const failures = () => ({ failures: [{ at_ms: STARTED_MS + 3_000_000, message: BACKTRACE, hint: "the newest checkpoint has the state that it failed on: `weir replay order-means --operator count`" }] });

export const config = {
  schema: 1, job: "order-means", file: "/srv/orders/job.toml", parallelism: 2, max_parallelism: 128,
  checkpoints: { storage: "s3://company-orders/weir", interval: "10s", "min-pause": "0s", timeout: "10m", keep: 3, mode: "exactly-once", unaligned: "after 1s" },
  restart: { attempts: 10, within: "10m", delay: "1s" },
  api: { listen: "127.0.0.1:8470", token: "(set)" },
  vertices: [
    { id: "orders", kind: "source", runs: "kafka", parallelism: 2, settings: { connector: "kafka", brokers: "broker-1:9092,broker-2:9092", topic: "orders", password: "${KAFKA_PASSWORD}", watermark: { lateness: "2s" } } },
    { id: "parse", kind: "operator", runs: "parse-orders 1.4.0 (9f9f9f9f)", parallelism: 2, settings: { plugin: "parse.wasm", limits: { memory: "64 MiB", deadline: "10s", "state-bytes": "none" } } },
    { id: "count", kind: "operator", runs: "mean 0.9.2 (3c3c3c3c)", parallelism: 2, timers: [{ name: "flush", time: "event-time" }],
      settings: { plugin: "count.wasm", limits: { memory: "256 MiB", deadline: "10s", "state-bytes": "1 GiB", "fuel-per-record": 10_000_000, compile: { time: "60s", memory: "1 GiB" } } } },
    { id: "counts", kind: "sink", runs: "kafka", parallelism: 2, settings: { connector: "kafka", topic: "means", outbox: true } },
    { id: "archive", kind: "sink", runs: "parquet", parallelism: 1, settings: { connector: "parquet", path: "archive/" } },
  ],
  chains: [["orders", "parse"], ["count", "counts"], ["archive"]], edges: [],
  paths: [
    { source: "orders", sink: "counts", delivery: "exactly-once", why: "`orders` is read again from its offsets, and `counts` publishes behind checkpoints" },
    { source: "orders", sink: "archive", delivery: "may-repeat", why: "`archive` writes at least once" },
  ],
  orders: [{ source: "orders", operator: "count", order: "as-in-each-piece", why: "records of one partition stay in their order" }],
  times: [{ step: "orders", timestamps: "the timestamp of Kafka", watermarks: "2s behind the largest" }],
  remarks: ["warning: no step takes the records that `count` finds late"],
};

/** `count` records that were set aside; the newest of them is hostile. */
export function quarantine(vertex, limit) {
  const all = Array.from({ length: 61 }, (_, index) => ({
    operator: vertex, key: `customer-${index}`, value: index === 0 ? HOSTILE : `{"id":${9000 + index},"price":"${index} EUR","items":[{"sku":"A-${index}","n":2}]}`, timestamp: Date.now() - 60_000 * index,
    error: index === 0 ? "expected a number at /price" : `price: "${index} EUR" is no number`, backtrace: index % 3 === 0 ? "    0: 0x0a11 - parse::price\n    1: 0x0b70 - parse::process" : null,
  }));
  return { records: all.slice(0, limit) };
}

export const state = (key) => ({ states: key === "nobody" ? [] : [{ name: "mean", value: { sum: 4_211.5, orders: 87 } }, { name: "weir:timer:flush", value: ["2026-11-30T21:00:00Z"] }] });
