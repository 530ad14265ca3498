/** Takes pictures of every section into `shots/`, to be looked at: desktop in light and dark, and a phone. `npm run look [NAME…]` takes those named. */
import { mkdir } from "node:fs/promises";
import { launch, open } from "./browser.mjs";
import { start } from "./server.mjs";

const SECTIONS = { graph: "#/", step: "#/step/count", source: "#/step/orders", sink: "#/step/counts", checkpoints: "#/checkpoints", errors: "#/errors", state: "#/state", config: "#/config" };
const LOOKS = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  phone: { colorScheme: "light", viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};
const wanted = process.argv.slice(2);
const shots = new URL("../shots/", import.meta.url).pathname;
await mkdir(shots, { recursive: true });
const server = await start({ tick_ms: 200 });
const browser = await launch();
for (const [look, options] of Object.entries(LOOKS)) {
  const { page, context, complaints } = await open(browser, server.url, options);
  await page.getByText("holds the job back").waitFor();
  await page.waitForTimeout(1500);
  for (const [name, hash] of Object.entries(SECTIONS)) {
    if (wanted.length > 0 && !wanted.includes(`${name}-${look}`)) continue;
    await page.evaluate((to) => (location.hash = to), hash);
    await page.waitForTimeout(350);
    if (name === "checkpoints") await page.getByRole("button", { name: "1437" }).click();
    if (name === "errors") await page.locator("summary").first().click();
    if (name === "state") await page.getByRole("textbox", { name: "Key" }).fill("customer-7").then(() => page.getByRole("button", { name: "Look up" }).click());
    await page.waitForTimeout(250);
    const clip = look === "phone" ? { clip: { x: 0, y: 0, width: 360, height: 1800 } } : {};
    await page.screenshot({ path: `${shots}${name}-${look}.png`, fullPage: true, ...clip });
  }
  for (const action of ["Rescale …", "Stop …", "Upgrade …"]) {
    const name = `${action.split(" ")[0].toLowerCase()}-${look}`;
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    await page.getByRole("button", { name: action }).first().click();
    if (action === "Upgrade …") {
      await page.locator("dialog input[type=file]").setInputFiles({ name: "mean-1.0.0.wasm", mimeType: "application/wasm", buffer: Buffer.from([0, 97, 115, 109, 13, 0, 1, 0]) });
      await page.locator("dialog select").selectOption("count");
      await page.getByRole("button", { name: "Check", exact: true }).click();
      await page.getByRole("button", { name: "Upgrade", exact: true }).waitFor();
    }
    await page.waitForTimeout(200);
    await page.screenshot({ path: `${shots}${name}.png` });
    await page.keyboard.press("Escape");
  }
  if (complaints.length > 0) console.log(look, complaints);
  await context.close();
}
await browser.close();
await server.close();
