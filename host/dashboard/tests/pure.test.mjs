/** The rules of the page without a browser, a case a line. `npm test` compiles the sources to `.compiled/` first. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { problemOf } from "../.compiled/component.js";
import { ago, bytes, clock, count, duration, percent, rate, valueText } from "../.compiled/format.js";
import { inFrontOf, tasksOf } from "../.compiled/graph.js";
import { heldBack } from "../.compiled/held_back.js";
import { layoutOf, shapeOf } from "../.compiled/layout.js";
import { figures, History } from "../.compiled/rates.js";
import { routeOf, vertexAddress } from "../.compiled/route.js";
import { EventReader } from "../.compiled/sse.js";

/** A vertex whose only subtask has spent these seconds busy, backpressured and idle. */
function vertex(id, { kind = "operator", task = id, times = null, records = 0, subtasks = null, ...more } = {}) {
  const [busy_s = null, backpressured_s = null, idle_s = null] = times ?? [];
  const one = { index: 0, records_in: records, records_out: records, bytes_in: 0, bytes_out: 0, batches: 0, batch_s: 0, busy_s, idle_s, backpressured_s };
  return { id, kind, task, parallelism: 1, records_in: records, records_out: records, quarantined: 0, subtasks: subtasks ?? [one], ...more };
}
const job = (uptime_s, vertices, more = {}) => ({ job: "j", pid: 1, uptime_s, vertices, edges: [], outboxes: [], restarts: 0, ...more });
const edge = (from, to) => ({ from, to, by: "key" });

test("figures are written short, and what is not known as a dash", () => {
  const check = (written, expected) => assert.equal(written, expected);
  check(count(1234567), "1,234,567");
  check(rate(12_345), "12.3 k/s");
  check(rate(0.25), "0.3/s");
  check(rate(2_500_000), "2.5 M/s");
  check(rate(null), "–");
  check(bytes(1536), "1.5 KiB");
  check(bytes(1023), "1,023 B");
  check(percent(0.943), "94 %");
  check(duration(340), "340 ms");
  check(duration(1200), "1.2 s");
  check(duration(59_999), "1 min");
  check(duration(200_000), "3 min 20 s");
  check(duration(187_200_000), "2 d 4 h");
  check(ago(1000, 61_000), "1 min ago");
  check(ago(5000, 1000), "just now");
  check(clock(8.64e15 + 1, 0), `${8.64e15 + 1} ms`);
  check(valueText({ a: 1 }), '{"a":1}');
  check(valueText("x".repeat(5000)).length < 4100, true);
});

test("rates and shares are of what has grown between two documents", () => {
  const now = figures(job(10, [vertex("a", { kind: "source", times: [1, 2, 7], records: 100 })]), job(12, [vertex("a", { kind: "source", times: [2.5, 2.5, 7], records: 300 })]));
  assert.equal(now.vertices.get("a").out_rate, 100);
  assert.deepEqual(now.vertices.get("a").shares, { busy: 0.75, backpressured: 0.25, idle: 0 });
  assert.equal(now.in_rate, 100);
});

test("a counter that runs backwards has no rate", () => {
  const now = figures(job(10, [vertex("a", { records: 100 })]), job(12, [vertex("a", { records: 50 })]));
  assert.equal(now.vertices.get("a").in_rate, null);
});

test("a lag that shrinks has a rate below nothing", () => {
  const lag = (total) => ({ unit: "records", total, largest: null, largest_split: null, unknown_splits: 0 });
  const now = figures(job(0, [vertex("a", { lag: lag(500) })]), job(5, [vertex("a", { lag: lag(100) })]));
  assert.equal(now.vertices.get("a").lag_rate, -80);
});

test("a history begins anew with another process, and forgets what is older than its window", () => {
  const history = new History();
  history.add(job(100, [vertex("a", { records: 0 })]), 0);
  for (let second = 1; second <= 20; second += 1) history.add(job(100 + second, [vertex("a", { records: second <= 10 ? 0 : (second - 10) * 7 })]), second);
  assert.equal(history.now.vertices.get("a").in_rate, 7);
  assert.equal(history.points.length, 20);
  history.add(job(1, [vertex("a")], { pid: 2 }), 21);
  assert.equal(history.now.vertices.size, 0);
  assert.equal(history.points.length, 0);
});

test("the busiest task that others wait for holds the job back", () => {
  const edges = [edge("a", "b"), edge("b", "c")];
  const check = (a, b, c, expected) => {
    const vertices = (times) => ["a", "b", "c"].map((id, index) => vertex(id, { times: times[index] }));
    const newer = job(10, vertices([a, b, c]), { edges });
    const found = heldBack(newer, figures(job(0, vertices([[0, 0, 0], [0, 0, 0], [0, 0, 0]]), { edges }), newer));
    assert.match(found.text, expected);
  };
  check([2, 7, 1], [9, 1, 0], [1, 0, 9], /^b holds the job back: it is busy 90 % of the time, and a waits for it 70 %/);
  check([2, 7, 1], [1, 9, 0], [10, 0, 0], /^c holds the job back/);
  check([9, 0, 1], [1, 0, 9], [1, 0, 9], /^a is close to its limit/);
  check([1, 0, 9], [1, 0, 9], [1, 0, 9], /^Nothing holds the job back/);
});

test("one hot subtask is named, and trouble outside goes before it", () => {
  const subtasks = (of) => of.map(([busy_s, idle_s], index) => ({ index, records_in: 0, records_out: 0, bytes_in: 0, bytes_out: 0, batches: 0, batch_s: 0, busy_s, idle_s, backpressured_s: 0 }));
  const document = (at, of, more) => job(at, [vertex("a", { times: [at * 0.2, at * 0.7, at * 0.1] }), vertex("b", { subtasks: subtasks(of), ...more })], { edges: [edge("a", "b")] });
  const older = document(0, [[0, 0], [0, 0]]);
  const hot = document(10, [[10, 0], [1, 9]]);
  assert.match(heldBack(hot, figures(older, hot)).text, /^b holds the job back: its subtask 0 is busy 100 %/);
  const troubled = document(10, [[10, 0], [1, 9]], { trouble: "the broker is away\nsince long" });
  assert.equal(heldBack(troubled, figures(older, troubled)).text, "b does not get on: the broker is away");
});

test("chained vertices are one task, in front of which their senders stand", () => {
  const chained = job(1, [vertex("a"), vertex("b", { task: "a" }), vertex("c")], { edges: [edge("a", "b"), edge("b", "c")] });
  assert.deepEqual(tasksOf(chained).map(({ id, vertices }) => [id, vertices.map(({ id }) => id)]), [["a", ["a", "b"]], ["c", ["c"]]]);
  assert.deepEqual(inFrontOf(chained, "c"), ["a"]);
  assert.deepEqual(inFrontOf(chained, "a"), []);
});

test("boxes do not overlap, in layers or in a column, and every edge between tasks has a line", () => {
  const ids = ["a", "b", "c", "d", "e"];
  const graph = job(1, ids.map((id) => vertex(id)), { edges: [edge("a", "b"), edge("a", "c"), edge("b", "d"), edge("c", "d"), edge("a", "e"), edge("d", "e")] });
  for (const direction of ["layers", "column"]) {
    const { boxes, lines, width, height } = layoutOf(graph, direction);
    assert.equal(lines.length, 6);
    for (const [index, a] of boxes.entries()) {
      assert.ok(a.x >= 0 && a.y >= 0 && a.x + a.width <= width && a.y + a.height <= height, `${direction}: ${a.task} is outside`);
      for (const b of boxes.slice(index + 1)) {
        const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
        assert.ok(apart, `${direction}: ${a.task} and ${b.task} overlap`);
      }
    }
  }
  assert.ok(layoutOf(graph, "column").width <= 336, "a column fits on a phone");
  assert.equal(shapeOf(graph, "layers"), shapeOf(job(9, ids.map((id) => vertex(id, { records: 9 })), { edges: graph.edges }), "layers"));
});

test("a graph without edges, and one without a vertex, can be laid out", () => {
  assert.equal(layoutOf(job(1, [vertex("a")], { edges: undefined }), "layers").boxes.length, 1);
  assert.equal(layoutOf(job(1, []), "column").boxes.length, 0);
});

test("events are read whole, however they are cut into pieces", () => {
  const stream = ": hello\n\nevent: job\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\ndata: x\n\n";
  for (const size of [1, 2, 3, 7, 100]) {
    const reader = new EventReader();
    const events = [];
    for (let at = 0; at < stream.length; at += size) events.push(...reader.push(stream.slice(at, at + size)));
    assert.deepEqual(events, [{ event: "job", data: '{"a":\n1}' }, { event: "message", data: "x" }], `pieces of ${size}`);
  }
  assert.throws(() => new EventReader().push("x".repeat(17 * 1024 * 1024)), /no end/);
});

test("an address leads to a section or a vertex, and whatever else to the graph", () => {
  const check = (hash, section, id) => assert.deepEqual(routeOf(hash), { section, vertex: id });
  check("", "graph", null);
  check("#/checkpoints", "checkpoints", null);
  check(vertexAddress("a/b c"), "graph", "a/b c");
  check("#/step/%", "graph", null);
  check("#/nowhere", "graph", null);
});

test("a file that is no WebAssembly is known by its first bytes", () => {
  assert.equal(problemOf(Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0)), null);
  assert.match(problemOf(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 0, 0, 0, 0)), /no WebAssembly/);
  assert.match(problemOf(Uint8Array.of(0)), /no WebAssembly/);
});
