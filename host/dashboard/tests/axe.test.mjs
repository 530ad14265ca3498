/** Every section and dialog, in both schemes and on a phone, without a complaint of axe. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import axe from "axe-core";
import { launch, open } from "./browser.mjs";
import { start } from "./server.mjs";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const SECTIONS = ["#/", "#/step/orders", "#/step/count", "#/step/counts", "#/checkpoints", "#/errors", "#/state", "#/config"];
let browser, server;
before(async () => ([browser, server] = [await launch(), await start({ tick_ms: 200 })]));
after(async () => (await browser.close(), await server.close()));

async function violations(page) {
  const found = await page.evaluate((rules) => globalThis.axe.run(document, { runOnly: rules, resultTypes: ["violations"] }), RULES);
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target} (${failureSummary})`).join("; ")}`);
}

for (const [name, options] of Object.entries({ light: { colorScheme: "light" }, dark: { colorScheme: "dark" }, phone: { viewport: { width: 360, height: 740 } } })) {
  test(`axe has nothing to say: ${name}`, async () => {
    const { page, context } = await open(browser, server.url, options);
    page.setDefaultTimeout(20_000);
    await page.getByText(/% busy/).first().waitFor();
    // Evaluated by the debugger, which no policy of the page concerns.
    await page.evaluate(axe.source);
    const complaints = [];
    for (const hash of SECTIONS) {
      await page.evaluate((to) => (location.hash = to), hash);
      await page.locator("main h2").first().waitFor();
      if (hash === "#/checkpoints") await page.getByRole("button", { name: "1437" }).click();
      if (hash === "#/errors") await page.locator("summary").first().click();
      complaints.push(...(await violations(page)).map((text) => `${hash} ${text}`));
    }
    for (const action of ["Savepoint …", "Rescale …", "Upgrade …", "Stop …"]) {
      await page.getByRole("group", { name: "Actions" }).getByRole("button", { name: action }).click();
      complaints.push(...(await violations(page)).map((text) => `${action} ${text}`));
      await page.keyboard.press("Escape");
    }
    assert.deepEqual(complaints, []);
    await context.close();
  });
}
