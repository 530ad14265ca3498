/** The machine's own Chromium, by `WEIR_CHROMIUM` or under its usual names; and pages that note what goes wrong in them. */
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const NAMES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export function chromiumPath() {
  const path = process.env.WEIR_CHROMIUM ?? NAMES.find((name) => existsSync(name));
  if (!path) throw new Error("no Chromium is there: install it (Debian: `apt-get install chromium`), or set WEIR_CHROMIUM");
  return path;
}

export const launch = () => chromium.launch({ executablePath: chromiumPath(), args: ["--no-sandbox", "--disable-gpu"] });

/** A page at `url`; what the console and scripts complain of is in `complaints`. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(url);
  return { page, context, complaints };
}
