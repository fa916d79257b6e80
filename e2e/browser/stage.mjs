// What the browser test needs around it: a chat server, the page, a browser.
// Everything started here is stopped here, by its process id.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const E2E = fileURLToPath(new URL("..", import.meta.url));
const ROOT = resolve(E2E, "..");
const PAGE = join(ROOT, "examples/chat/page");

export const ARTIFACTS = join(E2E, "artifacts");

// --- Processes ----------------------------------------------------------------

const running = new Set();

process.on("exit", () => {
  for (const child of running) signal(child, "SIGKILL");
});
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(name, () => process.exit(1));

/** Signals a child and what it started in turn: each leads a group of its own. */
function signal(child, name) {
  try {
    process.kill(-child.pid, name);
  } catch {
    // It is gone already.
  }
}

/** Starts `command` and waits until `port` accepts a connection. */
async function start(label, [command, ...args], { cwd, env, port, wait = 30_000 }) {
  if (await accepts(port)) throw new Error(`port ${port}, meant for ${label}, is taken by another process`);

  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let ended;
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output = (output + data).slice(-4000)));
  child.on("error", (error) => (ended = error.message));
  child.on("exit", (code, by) => {
    ended ??= by ? `ended by ${by}` : `ended with code ${code}`;
    running.delete(child);
  });
  if (child.pid) running.add(child);

  const stop = async () => {
    signal(child, "SIGTERM");
    for (const until = Date.now() + 5000; running.has(child) && Date.now() < until; ) await sleep(20);
    signal(child, "SIGKILL");
  };

  for (const until = Date.now() + wait; ; await sleep(50)) {
    if (ended) throw new Error(`${label} (${[command, ...args].join(" ")}): ${ended} before port ${port} was open. It said:\n${output || "(nothing)"}`);
    if (await accepts(port)) return { stop, pid: child.pid };
    if (Date.now() > until) {
      await stop();
      throw new Error(`${label} (${[command, ...args].join(" ")}) did not open port ${port} within ${wait / 1000} s. It said:\n${output || "(nothing)"}`);
    }
  }
}

function accepts(port) {
  return new Promise((answer) => {
    const socket = connect({ host: "localhost", port });
    socket.once("connect", () => socket.destroy() && answer(true));
    socket.once("error", () => answer(false));
  });
}

/** A port nobody listens on at this moment. */
export function freePort() {
  return new Promise((answer, fail) => {
    const server = createServer();
    server.once("error", fail);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => answer(port));
    });
  });
}

// --- The chat server ------------------------------------------------------------

const BINARY = join(resolve(ROOT, process.env.CARGO_TARGET_DIR || "target"), "debug/chat");

/** CHAT_SERVER is a command line; without it, the debug build. */
function serverCommand() {
  const line = process.env.CHAT_SERVER?.trim();
  if (!line) return [BINARY];
  return line.match(/"[^"]*"|'[^']*'|\S+/g).map((word) => word.replace(/^(["'])(.*)\1$/, "$2"));
}

export function startServer({ port, origin }) {
  return start("the chat server", serverCommand(), { cwd: E2E, port, env: { PORT: String(port), ORIGIN: origin } });
}

// --- The page -------------------------------------------------------------------

/** Where the page is to be served: 5173, or PAGE_PORT (0: any free port). */
export async function pagePort() {
  const port = Number(process.env.PAGE_PORT || 5173);
  if (process.env.PAGE_PORT === "0") return freePort();
  if (await accepts(port)) throw new Error(`port ${port}, where the page goes, is taken (a dev server?). Stop it, or set PAGE_PORT (0 for any free one).`);
  return port;
}

const VITE = join(PAGE, "node_modules/vite/bin/vite.js");

export function startPage({ port, server }) {
  return start("the page", [process.execPath, VITE, "--port", String(port), "--strictPort"], {
    cwd: PAGE,
    port,
    env: { VITE_SERVER_URL: server },
  });
}

// --- The browser ----------------------------------------------------------------

const ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Whatever else a browser may want to look up: there is only this machine.
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
];

const CHROMIUM = process.env.CHROMIUM || "/usr/bin/chromium";

const require = createRequire(import.meta.url);

export function startBrowser() {
  return require("playwright-core").chromium.launch({ executablePath: CHROMIUM, args: ARGS, headless: true });
}

// --- What has to be there -------------------------------------------------------

/** What is missing on this machine, each with how to get it. */
export function missing() {
  const list = [];
  if (!existsSync(CHROMIUM)) list.push(`There is no Chromium at ${CHROMIUM}. Install it (Debian: \`apt-get install chromium\`), or name it with CHROMIUM.`);
  if (!resolves("playwright-core")) list.push("playwright-core is not installed. Run `npm ci` in e2e.");
  if (!existsSync(VITE) || !existsSync(join(PAGE, "node_modules/socket.io-client"))) {
    list.push("The page’s packages are not installed. Run `npm ci` in examples/chat/page.");
  }
  if (!process.env.CHAT_SERVER?.trim() && !existsSync(BINARY)) {
    list.push(`The chat server is not built: there is no ${BINARY}. Run \`cargo build -p chat\`, or name another server with CHAT_SERVER.`);
  }
  return list;
}

function resolves(name) {
  try {
    require.resolve(name);
    return true;
  } catch {
    return false;
  }
}
