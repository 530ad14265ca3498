/** What is committed is what the sources build, and keeps the bounds of the page. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

const ROOT = new URL("..", import.meta.url).pathname;
const BUILT = join(ROOT, "../cli/src/api/dashboard");
const FILES = ["app.css", "app.js", "index.html"];
/** Of all files together, as gzip makes them. */
const COMPRESSED_MOST = 150_000;

test("the files that are committed are those that the sources build", () => {
  const out = mkdtempSync(join(tmpdir(), "weir-dashboard-"));
  try {
    execFileSync(process.execPath, [join(ROOT, "node_modules/vite/bin/vite.js"), "build", "--logLevel", "error"], { cwd: ROOT, env: { ...process.env, WEIR_DASHBOARD_OUT: out } });
    assert.deepEqual(readdirSync(out).sort(), FILES);
    for (const file of FILES) assert.ok(readFileSync(join(out, file)).equals(readFileSync(join(BUILT, file))), `${file} is another one: run \`npm run build\` and commit it`);
  } finally {
    rmSync(out, { recursive: true });
  }
});

test("nothing else is in the folder, and all of it is small", () => {
  assert.deepEqual(readdirSync(BUILT).sort(), FILES);
  const compressed = FILES.reduce((all, file) => all + gzipSync(readFileSync(join(BUILT, file))).length, 0);
  assert.ok(compressed < COMPRESSED_MOST, `${compressed} bytes compressed, ${COMPRESSED_MOST} at most`);
});

test("the page has no script or style of its own, and the sources make no markup of text", () => {
  const page = readFileSync(join(BUILT, "index.html"), "utf8");
  assert.doesNotMatch(page, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/);
  assert.doesNotMatch(readFileSync(join(BUILT, "app.js"), "utf8"), /\beval\(|new Function\b/);
  for (const file of readdirSync(join(ROOT, "src"))) {
    assert.doesNotMatch(readFileSync(join(ROOT, "src", file), "utf8"), /innerHTML|outerHTML|insertAdjacentHTML|document\.write/, file);
  }
});

test("the licences of what is bundled go with it", () => {
  const script = readFileSync(join(BUILT, "app.js"), "utf8");
  for (const name of ["uplot", "@dagrejs/dagre", "@dagrejs/graphlib"]) assert.ok(script.includes(`\n${name} `), name);
});
