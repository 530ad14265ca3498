/** What is done to the job from the page: never by a single click, with what came of it, and what helps where it was refused. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open } from "./browser.mjs";
import { start } from "./server.mjs";

const TICK_MS = 60;
const COMPONENT = Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);
const REFUSED = /Failed to load resource/;
let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

async function withPage(options, run, expected = /^$/) {
  const server = await start({ tick_ms: TICK_MS, ...options });
  const { page, context, complaints } = await open(browser, server.url);
  page.setDefaultTimeout(10_000);
  try {
    await page.getByText(/% busy/).first().waitFor();
    await run(page, server);
    assert.deepEqual(complaints.filter((text) => !expected.test(text)), []);
  } finally {
    await context.close();
    await server.close();
  }
}

const dialog = (page) => page.getByRole("dialog");
/** Has changes of the job last until what this gives is called. */
function hold(server) {
  let release;
  server.shape.gate = new Promise((go) => (release = go));
  return release;
}
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();

test("no button of the page does anything by itself", () => withPage({}, async (page, server) => {
  for (const name of ["Checkpoint …", "Savepoint …", "Rescale …", "Upgrade …", "Stop …"]) {
    await press(page, name);
    await dialog(page).waitFor();
    await page.keyboard.press("Escape");
    await dialog(page).waitFor({ state: "detached" });
    assert.equal(await page.evaluate(() => document.activeElement.textContent), name, "the focus is back");
  }
  assert.deepEqual(server.asked, []);
}));

test("a checkpoint is taken, and what it took is said", () => withPage({}, async (page, server) => {
  await press(page, "Checkpoint …");
  await press(page, "Take checkpoint");
  await dialog(page).getByText("Checkpoint 1441 is complete").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Close");
  assert.deepEqual(server.asked.map(({ path }) => path), ["/v1/checkpoints"]);
  await press(page, "Close");
  assert.equal(await page.locator("#notices").innerText(), "", "it was read in the dialog");
}));

test("a savepoint goes where it is told to, or beside the checkpoints", () => withPage({}, async (page, server) => {
  await press(page, "Savepoint …");
  await press(page, "Take savepoint");
  await dialog(page).getByText("s3://company-orders/weir/order-means/savepoints/7").waitFor();
  await press(page, "Close");
  await press(page, "Savepoint …");
  await dialog(page).getByLabel("With records in flight").check();
  await dialog(page).getByLabel("URL of the savepoint").fill(" file:/elsewhere/1 ");
  await page.keyboard.press("Enter");
  await dialog(page).getByText("file:/elsewhere/1").waitFor();
  assert.deepEqual(server.asked.map(({ body }) => body), [{ url: null, unaligned: false }, { url: "file:/elsewhere/1", unaligned: true }]);
}));

test("a step is rescaled from its details, and the whole job from the head", () => withPage({}, async (page, server) => {
  await page.evaluate(() => (location.hash = "#/step/count"));
  await page.locator("main").getByRole("button", { name: "Rescale …" }).click();
  await dialog(page).getByLabel("Parallelism").fill("4");
  const release = hold(server);
  await press(page, "Rescale");
  await dialog(page).getByText("Rescale of count: changing over").waitFor();
  release();
  await dialog(page).getByText("The job runs with a parallelism of 4").waitFor();
  await press(page, "Close");
  await page.getByRole("table", { name: "Subtasks of count" }).getByRole("rowheader", { name: "3" }).waitFor();
  await page.getByRole("group", { name: "Actions" }).getByRole("button", { name: "Rescale …" }).click();
  await press(page, "Rescale");
  await dialog(page).getByText("The job runs with a parallelism of").waitFor();
  assert.deepEqual(server.asked.map(({ body }) => body), [{ parallelism: 4, operator: "count" }, { parallelism: 4, operator: null }]);
}));

test("a refusal is shown with what helps, and the question can be answered anew", () => {
  const answers = { "/v1/rescale": { status: 422, message: "the step `counts` has 1 partition", hint: "give the topic more partitions first" } };
  return withPage({ answers }, async (page, server) => {
    await press(page, "Rescale …");
    await press(page, "Rescale");
    await dialog(page).getByText("has 1 partition").waitFor();
    await dialog(page).getByText("give the topic more partitions first").waitFor();
    await press(page, "Rescale");
    await page.waitForFunction(() => document.querySelector("dialog form")?.getAttribute("aria-busy") === "false");
    assert.equal(server.asked.length, 2);
  }, REFUSED);
});

/** Chooses a component on the operator `count`, with a probation of so many seconds, and has it checked. */
async function choose(page, name, seconds, content = COMPONENT, may_repeat = false) {
  await press(page, "Upgrade …");
  await dialog(page).getByLabel("Operator").selectOption("count");
  await dialog(page).getByLabel("Component").setInputFiles({ name, mimeType: "application/wasm", buffer: content });
  await dialog(page).getByLabel("Probation, seconds").fill(String(seconds));
  if (may_repeat) await dialog(page).getByLabel("Output may come again").check();
  await press(page, "Check");
}

test("an upgrade is checked, confirmed, and watched until it is accepted", () => withPage({}, async (page, server) => {
  await choose(page, "mean.wasm", 1);
  await dialog(page).getByText("is migrated from version 1 to 2").waitFor();
  assert.match(await dialog(page).getByRole("row", { name: /Plugin/ }).innerText(), /mean 0\.9\.2\s+mean 1\.0\.0/);
  assert.match(await dialog(page).getByRole("row", { name: /SHA-256/ }).innerText(), /3c3c3c3c3c3c\s+[0-9a-f]{12}/);
  assert.deepEqual(server.asked.map(({ path }) => path), ["/v1/upgrade/check"], "nothing has changed yet");
  const release = hold(server);
  await press(page, "Upgrade");
  await dialog(page).getByRole("progressbar", { name: "Probation" }).waitFor();
  await page.locator("#notices").getByText(/Upgrade of count: probation \(behind checkpoint 1441\)/).waitFor({ state: "attached" });
  release();
  await dialog(page).getByText("count runs mean.wasm: accepted").waitFor();
  const { path, query, body, type } = server.asked[1];
  assert.deepEqual([path, query, body, type], ["/v1/upgrade", { operator: "count", name: "mean.wasm", probation_ms: "1000" }, COMPONENT.length, "application/wasm"]);
}));

test("an upgrade that is rolled back says why, also where the dialog was closed meanwhile", () => withPage({}, async (page, server) => {
  const release = hold(server);
  await choose(page, "broken.wasm", 1);
  await press(page, "Upgrade");
  await dialog(page).getByRole("progressbar").waitFor();
  await page.keyboard.press("Escape");
  release();
  await page.locator("#notices").getByText(/Rolled back: operator/).waitFor();
  await press(page, "Dismiss");
  await page.locator("#notices").getByText(/Rolled back/).waitFor({ state: "detached" });
}));

test("a component that does not fit, or is none, cannot be confirmed", () => withPage({}, async (page, server) => {
  await choose(page, "other.wasm", 1);
  await dialog(page).getByText(/has another type under the same version/).waitFor();
  assert.equal(await page.getByRole("button", { name: "Upgrade", exact: true }).isDisabled(), true);
  await page.keyboard.press("Escape");
  await choose(page, "notes.txt", 1, Buffer.from("no component"));
  await dialog(page).getByText("notes.txt: it is no WebAssembly file").waitFor();
  assert.equal(await page.getByRole("button", { name: "Upgrade", exact: true }).isDisabled(), true);
  assert.deepEqual(server.asked.map(({ path }) => path), ["/v1/upgrade/check"]);
}));

test("a weir that cannot check beforehand says so, and upgrades all the same", () => withPage({ missing: ["/v1/upgrade/check"] }, async (page, server) => {
  await choose(page, "mean.wasm", 0, COMPONENT, true);
  await dialog(page).getByText(/does not say beforehand whether it fits/).waitFor();
  await press(page, "Upgrade");
  await dialog(page).getByText("count runs mean.wasm: accepted").waitFor();
  assert.deepEqual(server.asked.map(({ path, query }) => [path, query.allow_repeat]), [["/v1/upgrade", "true"]]);
}));

test("a component that is dropped on an operator is offered as its next version, and one dropped on a source is not", () => withPage({}, async (page) => {
  const drop = (id) => page.evaluate(([id, bytes]) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([new Uint8Array(bytes)], "dropped.wasm"));
    const vertex = [...document.querySelectorAll("a.vertex")].find((link) => link.querySelector(".id").textContent === id);
    for (const type of ["dragenter", "dragover", "drop"]) vertex.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
  }, [id, [...COMPONENT]]);
  await drop("orders");
  assert.equal(await dialog(page).count(), 0);
  await drop("count");
  await dialog(page).getByText("dropped.wasm").waitFor();
  assert.equal(await dialog(page).getByLabel("Operator").inputValue(), "count");
}));

test("the job is stopped with a savepoint, and the page says that it has ended", () => withPage({}, async (page, server) => {
  await press(page, "Stop …");
  await dialog(page).getByLabel(/With a savepoint/).check();
  await press(page, "Stop the job");
  await dialog(page).getByText("The job has ended: stopped").waitFor();
  await dialog(page).getByText("savepoints/8").waitFor();
  await press(page, "Close");
  await page.locator("#notices").getByText("The job has ended: stopped").first().waitFor();
  assert.deepEqual(server.asked.map(({ path, body }) => [path, body]), [["/v1/stop", { drain: false, savepoint: "" }]]);
}));

test("the job is drained, without a savepoint", () => withPage({}, async (page, server) => {
  await press(page, "Stop …");
  await dialog(page).getByLabel(/At the end of the input/).check();
  await press(page, "Stop the job");
  await dialog(page).getByText("The job has ended: finished").waitFor();
  assert.deepEqual(server.asked[0].body, { drain: true, savepoint: null });
}));
