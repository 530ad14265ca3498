/** The page in Chromium, against the test server: what it shows, what it never does, and how it gets on when the job does not. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open } from "./browser.mjs";
import { HOSTILE } from "./fixture.mjs";
import { start } from "./server.mjs";

/** Between two documents of the test server. */
const TICK_MS = 60;
let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

/** A page of a server with these options; nothing may be complained of in it, but for what `expected` matches. */
async function withPage(options, run, { hash = "", context: contextOptions = {}, expected = /^$/ } = {}) {
  const server = await start({ tick_ms: TICK_MS, ...options });
  const { page, context, complaints } = await open(browser, server.url + hash, contextOptions);
  page.setDefaultTimeout(10_000);
  try {
    await run(page, server);
    assert.deepEqual(complaints.filter((text) => !expected.test(text)), []);
  } finally {
    await context.close();
    await server.close();
  }
}

const CONNECTION = /Failed to load resource|ERR_/;
const visible = (page, text) => page.getByText(text).first().waitFor();

test("the head says how the job is doing and what holds it back", () => withPage({}, async (page) => {
  await visible(page, /^count holds the job back: its subtask 0 is busy 9\d % .* orders waits for it 7\d %/);
  assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), "order-means");
  const head = await page.getByRole("banner").innerText();
  for (const said of [/running/, /live/, /Records in\s+1[1-4](\.\d)? k\/s/, /Restarts\s+1\s+attempt 2/, /took 1.8 s/, /Up for\s+4 h/]) assert.match(head, said);
}));

test("the graph has a box for each task, and the table says the same", () => withPage({}, async (page) => {
  await visible(page, /% busy/);
  const boxes = await page.locator(".task").evaluateAll((tasks) => tasks.map((task) => [...task.querySelectorAll(".id")].map((id) => id.textContent)));
  assert.deepEqual(boxes, [["orders", "parse"], ["count", "counts"], ["archive"]]);
  assert.match(await page.getByRole("group", { name: /Task of 2 chained steps: busy 6\d %/ }).getAttribute("class"), /busy/);
  const row = await page.getByRole("row", { name: /^parse/ }).innerText();
  assert.match(row, /2\d %\s+7\d %.*61.*count \(key\), archive \(copies · rebalance\)/s);
}));

test("a vertex opens by the keyboard, takes the focus, and gives it back", () => withPage({}, async (page) => {
  await visible(page, /% busy/);
  await page.locator("a.vertex", { hasText: "count" }).first().focus();
  await page.keyboard.press("Enter");
  await page.locator("#vertex-heading").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "vertex-heading");
  const details = await page.getByRole("region", { name: /^count/ }).innerText();
  for (const said of [/mean 0\.9\.2/, /91\.2 G/, /deadline: 2 times/, /Own metric zero-prices/, /1,204/]) assert.match(details, said);
  assert.equal(await page.locator(".chart canvas").count(), 2);
  await page.getByRole("link", { name: "Close" }).focus();
  await page.keyboard.press("Enter");
  await page.locator("#vertex-heading").waitFor({ state: "detached" });
  assert.match(await page.evaluate(() => document.activeElement.getAttribute("href")), /#\/step\/count$/);
}));

test("an update leaves focus, open details and what is half typed alone", () => withPage({}, async (page) => {
  await page.getByRole("textbox", { name: "Key" }).fill("half ty");
  const rate = page.locator("dt", { hasText: "Records in" }).locator("xpath=../dd");
  const before = await rate.textContent();
  await page.waitForFunction((was) => document.querySelector(".tiles dd").textContent !== was, before);
  assert.equal(await page.getByRole("textbox", { name: "Key" }).inputValue(), "half ty");
  assert.equal(await page.evaluate(() => document.activeElement.name), "key");
}, { hash: "#/state" }));

test("a connector shows its lag by split, and an outbox what waits and why", () => withPage({}, async (page) => {
  await visible(page, /records, growing by \d+(\.\d)?\/s/);
  assert.match(await page.getByRole("row", { name: /orders\/3/ }).innerText(), /120,\d\d\d/);
  await page.evaluate(() => (location.hash = "#/step/counts"));
  for (const said of [/6 MiB of 2 checkpoints/, /checkpoint 1439, 2\d(\.\d)? s old/, /4 tries/, /the broker broker-2:9092 does not answer/]) await visible(page, said);
}, { hash: "#/step/orders" }));

test("a checkpoint opens by vertex and subtask, and a failed one says why", () => withPage({}, async (page) => {
  await visible(page, /did not acknowledge it within 10 s/);
  const toggle = page.getByRole("button", { name: "1437" });
  await toggle.focus();
  await page.keyboard.press("Enter");
  await visible(page, "Slowest was subtask 0 of count: alignment 7.4 s, capture 38 ms, upload 870 ms.");
  assert.equal(await toggle.getAttribute("aria-expanded"), "true");
  assert.equal(await page.getByRole("table", { name: "Checkpoint 1437, 5 subtasks" }).getByRole("row").count(), 6);
  await page.getByRole("button", { name: "1435" }).click();
  await visible(page, "Not done: subtask 0 of count.");
}, { hash: "#/checkpoints" }));

test("a failure has its backtrace folded, and records that were set aside are text whatever they hold", () => withPage({}, async (page) => {
  await visible(page, /the guest trapped: wasm trap: integer divide by zero/);
  assert.equal(await page.getByText("count.wasm!process").isVisible(), false);
  await page.locator(".failures summary").click();
  assert.equal(await page.getByText("count.wasm!process").isVisible(), true);
  await page.getByText(HOSTILE).waitFor();
  assert.equal(await page.locator("main img, main script").count(), 0);
  assert.doesNotMatch(await page.title(), /owned/);
  await page.getByRole("button", { name: "Show more" }).click();
  await visible(page, "Records that parse has set aside: 61 of 61");
}, { hash: "#/errors" }));

test("the state of a key is looked up, and a key of which nothing is kept is said so", () => withPage({}, async (page) => {
  await page.getByRole("textbox", { name: "Key" }).fill("customer-7");
  await page.keyboard.press("Enter");
  await visible(page, "customer-7 in count");
  assert.match(await page.locator("dd pre").first().textContent(), /"sum": 4211.5/);
  await page.getByRole("textbox", { name: "Key" }).fill("nobody");
  await page.keyboard.press("Enter");
  await visible(page, "count keeps nothing of nobody.");
}, { hash: "#/state" }));

test("every setting is there, and is found by its name", () => withPage({}, async (page) => {
  for (const name of ["interval", "limits.fuel-per-record", "listen"]) await page.getByRole("rowheader", { name, exact: true }).waitFor();
  await page.getByLabel("Find").fill("fuel");
  assert.equal(await page.getByRole("rowheader", { name: "interval" }).count(), 0);
  assert.equal(await page.getByRole("rowheader", { name: "limits.fuel-per-record" }).count(), 1);
  assert.match(await page.getByRole("table", { name: "After a failure" }).innerText(), /orders → counts\s+exactly once/);
}, { hash: "#/config" }));

test("what this weir does not have is said, and the rest works", () => {
  const missing = ["/v1/checkpoints", "/v1/failures", "/v1/config", "/v1/quarantine", "/v1/state"];
  return withPage({ missing }, async (page) => {
    await visible(page, "This weir does not have a history of checkpoints.");
    for (const [hash, text] of [["#/errors", "a list of failures"], ["#/config", "a list of settings"]]) {
      await page.evaluate((to) => (location.hash = to), hash);
      await visible(page, `This weir does not have ${text}.`);
    }
    await page.evaluate(() => (location.hash = "#/errors"));
    await page.getByRole("table", { name: /^Records that were set aside/ }).getByRole("rowheader", { name: "parse" }).waitFor();
    await page.evaluate(() => (location.hash = "#/state"));
    await visible(page, "Windows and timers");
    assert.equal(await page.getByRole("textbox", { name: "Key" }).count(), 0);
  }, { hash: "#/checkpoints", expected: CONNECTION });
});

test("a job that says little is shown all the same", () => {
  const little = ({ job, state, pid, uptime_s, job_file, storage, version, vertices }) => ({
    job, state, pid, uptime_s, job_file, storage, version, checkpoints_completed: 0, checkpoints_failed: 0, last_checkpoint: null, restarts: 0, change: null,
    vertices: vertices.map(({ id, parallelism, records_in, records_out, quarantined }) => ({ id, parallelism, records_in, records_out, quarantined })),
  });
  return withPage({ change: little }, async (page) => {
    await page.getByRole("table").waitFor();
    assert.equal(await page.locator(".held-back").count(), 0);
    await page.evaluate(() => (location.hash = "#/step/count"));
    await visible(page, "This weir does not tell subtasks apart.");
    await page.evaluate(() => (location.hash = "#/state"));
    await page.getByRole("table").waitFor();
  });
});

test("a job behind a token asks for it, refuses a wrong one, and keeps the right one in this tab", () => withPage({ token: "secret" }, async (page) => {
  await visible(page, "This job wants a token");
  await page.getByLabel("Token").fill("guess");
  await page.keyboard.press("Enter");
  await visible(page, "That was not the right one.");
  await page.getByLabel("Token").fill("secret");
  await page.keyboard.press("Enter");
  await visible(page, /% busy/);
  await page.reload();
  await visible(page, /% busy/);
  assert.deepEqual(await page.evaluate(() => [Object.values(sessionStorage), Object.values(localStorage), document.cookie]), [["secret"], [], ""]);
}, { expected: CONNECTION }));

test("a stream that breaks off is said, and is taken up again", () => withPage({}, async (page, server) => {
  await visible(page, /% busy/);
  server.breakOff();
  await visible(page, /connection lost, trying again; figures are/);
  await page.locator(".connection.live").waitFor();
  assert.equal(await page.locator("#announcer").textContent(), "The connection to the job is there again");
}, { expected: CONNECTION }));

test("the end of the job is said with its error, and nothing can be done to it any more", () => withPage({}, async (page, server) => {
  await visible(page, /% busy/);
  server.end({ outcome: "failed", error: "operator `count` failed ten times", hint: "look at its quarantine" });
  await visible(page, /The job has failed: operator/);
  await visible(page, "look at its quarantine");
  for (const button of await page.locator(".actions button").all()) assert.equal(await button.isDisabled(), true);
  await page.getByRole("button", { name: "Connect again" }).click();
  await page.locator(".connection.live").waitFor();
  assert.equal(await page.getByText("The job has failed").count(), 0);
}));

test("colours follow the system until one is chosen, which is kept", () => withPage({}, async (page) => {
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  await visible(page, /% busy/);
  assert.equal(await background(), "rgb(15, 20, 24)");
  await page.getByLabel("Colours").selectOption("light");
  assert.equal(await background(), "rgb(244, 246, 248)");
  await page.reload();
  await visible(page, /% busy/);
  assert.equal(await background(), "rgb(244, 246, 248)");
}, { context: { colorScheme: "dark" } }));

test("nothing is wider than a phone but what scrolls within itself", () => withPage({}, async (page) => {
  for (const hash of ["#/", "#/step/count", "#/step/counts", "#/checkpoints", "#/errors", "#/state", "#/config"]) {
    await page.evaluate((to) => (location.hash = to), hash);
    await page.locator("main h2").first().waitFor();
    const [wide, page_width] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= page_width, `${hash} is ${wide} px wide`);
  }
}, { context: { viewport: { width: 360, height: 740 } } }));
