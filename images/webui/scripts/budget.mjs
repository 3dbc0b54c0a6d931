// Fail when the JavaScript that the login page loads first is beyond its budget, compressed as it is sent.
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

const BUDGET_BYTES = 200 * 1024;
const directory = process.argv[2];
if (!directory) throw new Error("usage: budget.mjs <directory>");

const html = readFileSync(join(directory, "index.html"), "utf8");
// The entry, and what Vite tells the browser to load along with it.
const scripts = [...html.matchAll(/(?:src|href)="(?:\.\/)?(assets\/[^"]+\.js)"/g)].map(([, path]) => path);
if (scripts.length === 0) throw new Error("index.html names no script");
const total = scripts.reduce((sum, path) => sum + statSync(join(directory, `${path}.br`)).size, 0);
console.log(`first load: ${(total / 1024).toFixed(1)} of ${BUDGET_BYTES / 1024} KiB of JavaScript in ${scripts.length} files (brotli)`);
if (total > BUDGET_BYTES) {
  console.error("error: the first load is beyond its budget; load what the login page does not need with lazyRouteComponent");
  process.exit(1);
}
