/**
 * The server's proxy against a plain @fastify/http-proxy: requests per second of the proxy's own CPU time, one upstream,
 * one load, in interleaved rounds. Linux only (reads /proc). Writes docs/performance-webui.md unless told --dry-run.
 */
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { availableParallelism, homedir, release } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { report } from "./report.mjs";

const ROUNDS = Number(process.env.ROUNDS ?? 7);
const REQUESTS = Number(process.env.REQUESTS ?? 10_000);
const CONNECTIONS = 32;
const TICKS_PER_SECOND = Number(execFileSync("getconf", ["CLK_TCK"]));
const here = fileURLToPath(new URL(".", import.meta.url));
const started = [];

/** Install the pinned packages of `peer/` once per lock file, where no build of the image sees them. */
function installPeer() {
  const lock = readFileSync(join(here, "peer/package-lock.json"));
  const digest = createHash("sha256").update(lock).update(process.version).digest("hex").slice(0, 16);
  const directory = join(homedir(), ".cache/triptych/webui-bench", digest);
  if (!existsSync(directory)) {
    const unfinished = `${directory}.${process.pid}`;
    mkdirSync(unfinished, { recursive: true });
    for (const name of ["package.json", "package-lock.json"]) cpSync(join(here, "peer", name), join(unfinished, name));
    execFileSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: unfinished, stdio: "inherit" });
    renameSync(unfinished, directory);
  }
  cpSync(join(here, "peer/server.mjs"), join(directory, "server.mjs"));
  return directory;
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Start a program that listens at PORT; what it prints is read and dropped, as a container's runtime would read it. */
async function start(script, env) {
  const port = await freePort();
  const child = spawn(process.execPath, [script], {
    env: { ...process.env, NODE_ENV: "production", ...env, PORT: String(port) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  child.stdout.resume();
  started.push(child);
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries += 1) {
    if (child.exitCode !== null || tries > 200) throw new Error(`${script} does not listen`);
    const answer = await fetch(`${url}/api/v1/users`).catch(() => undefined);
    if (answer?.ok) return { pid: child.pid, url };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** CPU time of a process and all its threads, in seconds. */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** One round of load. @returns requests per CPU second of the proxy. */
async function round(autocannon, { pid, url }, amount) {
  // As large as the backend's tokens are.
  const cookie = `triptych_access=${"e".repeat(420)}; triptych_refresh=${"r".repeat(43)}`;
  const headers = { cookie, "user-agent": "Mozilla/5.0 (X11; Linux x86_64)", accept: "application/json", "accept-encoding": "gzip, br" };
  const before = cpuSeconds(pid);
  const result = await autocannon({ url: `${url}/api/v1/users?page=1`, connections: CONNECTIONS, amount, headers });
  const spent = cpuSeconds(pid) - before;
  if (result["2xx"] !== amount || result.errors) throw new Error(`${amount - result["2xx"]} of ${amount} requests failed`);
  return amount / spent;
}

async function main() {
  const directory = installPeer();
  const autocannon = createRequire(join(directory, "package.json"))("autocannon");
  const upstream = await start(join(here, "upstream.mjs"), {});
  const env = { BACKEND_URL: upstream.url, ENVIRONMENT: "production" };
  const proxies = {
    triptych: await start(join(here, "../dist/server/main.js"), env),
    fastify: await start(join(directory, "server.mjs"), env),
    "fastify, logging": await start(join(directory, "server.mjs"), { ...env, LOG: "1" }),
  };
  const names = Object.keys(proxies);
  const rates = Object.fromEntries(names.map((name) => [name, []]));
  for (const name of names) await round(autocannon, proxies[name], REQUESTS);
  for (let index = 0; index < ROUNDS; index += 1) {
    // Turn the order, so that no proxy always follows the same one.
    for (const name of [...names.slice(index % 3), ...names.slice(0, index % 3)]) {
      rates[name].push(await round(autocannon, proxies[name], REQUESTS));
    }
    console.log(names.map((name) => `${name} ${rates[name].at(-1).toFixed(0)}`).join("   "));
  }
  const { dependencies } = JSON.parse(readFileSync(join(here, "peer/package.json"), "utf8"));
  const machine = `${process.arch}, ${availableParallelism()} cores, Linux ${release()}, Node ${process.version}`;
  const text = report({ rates, machine, versions: dependencies, rounds: ROUNDS, requests: REQUESTS, connections: CONNECTIONS });
  console.log(text);
  if (!process.argv.includes("--dry-run")) writeFileSync(join(here, "../../../docs/performance-webui.md"), text);
}

try {
  await main();
} finally {
  for (const child of started) child.kill();
}
