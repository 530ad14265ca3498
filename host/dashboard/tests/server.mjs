/**
 * Serves the built page as the host does, with its headers, and answers the API from the fixture. `node tests/server.mjs [PORT]` to look at it by hand.
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { checkpoints, config, failures, job, quarantine, state } from "./fixture.mjs";

const BUILT = new URL("../../cli/src/api/dashboard/", import.meta.url);
export const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const FILES = { "/": ["index.html", "text/html; charset=utf-8"], "/app.js": ["app.js", "text/javascript"], "/app.css": ["app.css", "text/css"] };
const pause = (ms) => new Promise((wake) => setTimeout(wake, ms));

/**
 * Starts a server. `token`: every request of the API needs it. `missing`: paths that this weir does not have. `tick_ms`: between two documents.
 * `answers`: what a `POST` to a path is refused with. A rescale and a probation last until `shape.gate` is fulfilled. What was asked for by `POST` is in `asked`.
 */
export async function start({ port = 0, token = null, missing = [], tick_ms = 1000, answers = {}, change = (document) => document } = {}) {
  const began = Date.now();
  const shape = { checkpoints: 0, parallelism: {}, change: null, changes: 0, gate: Promise.resolve() };
  const asked = [];
  const streams = new Set();
  const document = () => change(job((Date.now() - began) / 1000, shape));

  const api = {
    "GET /v1/job": () => document(),
    "GET /v1/checkpoints": () => checkpoints(shape),
    "GET /v1/failures": () => failures(),
    "GET /v1/config": () => config,
    "GET /v1/quarantine": (query) => quarantine(query.get("vertex"), Number(query.get("limit") ?? 50)),
    "GET /v1/state": (query) => state(query.get("key")),
    "POST /v1/checkpoints": async () => (await pause(tick_ms), { checkpoint: 1_440 + ++shape.checkpoints, duration_ms: 1_840, bytes: 9_400_000 }),
    "POST /v1/savepoints": async (_query, body) => (await pause(tick_ms), { url: body.url ?? "s3://company-orders/weir/order-means/savepoints/7", checkpoint: 1_441 }),
    "POST /v1/rescale": async (_query, { parallelism, operator }) => {
      shape.change = { id: ++shape.changes, what: "rescale", operator, phase: "changing over", checkpoint: null };
      await Promise.all([pause(tick_ms), shape.gate]);
      const steps = operator ? [operator] : ["orders", "parse", "count", "counts"];
      for (const step of steps) shape.parallelism[step] = parallelism;
      shape.change = null;
      return { parallelism, operator, steps, left_alone: [], checkpoint: 1_441, pause_ms: 212 };
    },
    "POST /v1/upgrade/check": (query) => ({
      fits: !query.get("name").includes("other"), plugin: { name: "mean", version: "1.0.0", language: "go", digest: "d4".repeat(32) },
      changes: query.get("name").includes("other") ? [] : ["the state `mean` is migrated from version 1 to 2", "the state `seen` is new"],
      problems: query.get("name").includes("other") ? [{ message: "the state `mean` has another type under the same version", hint: "give it a new `version` and a `migrate`" }] : [],
    }),
    "POST /v1/upgrade": async (query) => {
      const [operator, probation_ms] = [query.get("operator"), Number(query.get("probation_ms"))];
      const phase = (phase, more = {}) => (shape.change = { id: shape.changes, what: "upgrade", operator, phase, checkpoint: null, ...more });
      shape.changes += 1;
      for (const step of ["preparing", "changing over"]) {
        phase(step);
        await pause(tick_ms);
      }
      phase("probation", { checkpoint: 1_441, probation_ms });
      await Promise.all([pause(probation_ms), shape.gate]);
      shape.change = null;
      const failed = query.get("name").includes("broken");
      return { operator, outcome: failed ? "rolled-back" : "accepted", reason: failed ? "operator `count`: the guest trapped: unreachable" : null, checkpoint: 1_441, savepoint: null, pause_ms: 96, may_repeat: [] };
    },
    "POST /v1/stop": async (_query, body) => {
      await pause(tick_ms);
      setTimeout(() => end({ outcome: body.drain ? "finished" : "stopped", error: null, hint: null }), tick_ms);
      return { outcome: body.drain ? "finished" : "stopped", error: null, hint: null, checkpoint: 1_441, savepoint: body.savepoint === null ? null : body.savepoint || "s3://company-orders/weir/order-means/savepoints/8" };
    },
  };

  /** The routes that there are, as the host describes them. */
  api["GET /openapi.json"] = () => {
    const paths = {};
    for (const route of [...Object.keys(api), "GET /v1/events"]) {
      const [method, path] = route.split(" ");
      if (!missing.includes(path)) (paths[path] ??= {})[method.toLowerCase()] = {};
    }
    return { openapi: "3.1.0", paths };
  };

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://host");
    const secure = { "Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store" };
    const answer = (status, value) => response.writeHead(status, { ...secure, "Content-Type": "application/json" }).end(JSON.stringify(value));
    const refuse = (status, message, hint = null) => answer(status, { error: { message, hint } });
    const file = request.method === "GET" && FILES[url.pathname];
    if (file) return response.writeHead(200, { ...secure, "Content-Type": file[1] }).end(await readFile(new URL(file[0], BUILT)));
    if (token !== null && request.headers.authorization !== `Bearer ${token}`) return refuse(401, "the token is missing or wrong");
    if (missing.includes(url.pathname)) return refuse(404, "there is nothing here", "GET /openapi.json says what there is");
    if (url.pathname === "/v1/events") return events(response, secure);
    const handler = api[`${request.method} ${url.pathname}`];
    if (!handler) return refuse(404, "there is nothing here", "GET /openapi.json says what there is");
    const body = await read(request);
    if (request.method === "POST") asked.push({ path: url.pathname, query: Object.fromEntries(url.searchParams), body, type: request.headers["content-type"] ?? null });
    const refused = request.method === "POST" && answers[url.pathname];
    if (refused) return refuse(refused.status, refused.message, refused.hint);
    answer(200, await handler(url.searchParams, body));
  });

  function events(response, secure) {
    response.writeHead(200, { ...secure, "Content-Type": "text/event-stream" });
    const send = () => response.write(`event: job\ndata: ${JSON.stringify(document())}\n\n`);
    send();
    const timer = setInterval(send, tick_ms);
    streams.add(response);
    response.on("close", () => (clearInterval(timer), streams.delete(response)));
  }

  /** Ends the job: whoever follows it is told. */
  function end(ended) {
    for (const response of streams) response.end(`event: ended\ndata: ${JSON.stringify(ended)}\n\n`);
  }

  /** Breaks every stream off. */
  function breakOff() {
    for (const response of streams) response.destroy();
  }

  await new Promise((listening) => server.listen(port, "127.0.0.1", listening));
  const close = () => new Promise((closed) => (server.close(closed), server.closeAllConnections()));
  return { url: `http://127.0.0.1:${server.address().port}/`, asked, shape, end, breakOff, close };
}

async function read(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  if (request.headers["content-type"] !== "application/json") return bytes.length;
  return JSON.parse(bytes.toString() || "null");
}

if (process.argv[1] && import.meta.url === new URL(process.argv[1], "file:").href) {
  const { url } = await start({ port: Number(process.argv[2] ?? 8471) });
  console.log(url);
}
