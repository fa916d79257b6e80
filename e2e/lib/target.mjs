// Starts and stops the server under test as a child process.
//
// TARGET=sockeye (the default) runs our `interop-server`, TARGET=reference the same contract on the
// packages of the reference. A test that may not hold for both says so with `deviation` or `differs`.

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { after } from "node:test";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export const TARGET = process.env.TARGET || "sockeye";
export const onReference = TARGET === "reference";

if (!["sockeye", "reference"].includes(TARGET)) {
  throw new Error(`TARGET is "${TARGET}", but only "sockeye" and "reference" are known`);
}

const deviationsFile = readFileSync(here("../DEVIATIONS.md"), "utf8");

function checkListed(id) {
  if (!deviationsFile.includes(`\`${id}\``)) throw new Error(`deviation "${id}" is not listed in DEVIATIONS.md`);
}

/**
 * Options for a test that holds for Sockeye alone: skipped on the reference.
 * `id` names a row of DEVIATIONS.md.
 */
export function deviation(id) {
  checkListed(id);
  return { skip: onReference ? `deviation: ${id}` : false };
}

const notYetFile = readFileSync(here("../NOT-YET.md"), "utf8");

/** Options for a test that Sockeye cannot pass yet: skipped there. `id` names a row of NOT-YET.md. */
export function notYet(id) {
  if (!notYetFile.includes(`\`${id}\``)) throw new Error(`"${id}" is not listed in NOT-YET.md`);
  return { skip: onReference ? false : `not yet: ${id}` };
}

/** A value expected from one target and another one from the other; `id` names a row of DEVIATIONS.md. */
export function differs(id, { reference, sockeye }) {
  checkListed(id);
  return onReference ? reference : sockeye;
}

function command() {
  if (onReference) return [process.execPath, [here("../reference/server.mjs")]];
  const binary = process.env.INTEROP_SERVER || here("../../target/debug/interop-server");
  if (!existsSync(binary)) {
    throw new Error(`${binary} is missing: run \`cargo build -p interop-server\`, or name another one in INTEROP_SERVER`);
  }
  return [binary, []];
}

const children = new Set();
process.on("exit", () => children.forEach((child) => child.kill("SIGKILL")));

/** One server process. `port` stays the same over restarts. */
export class Target {
  #child;
  #env;
  #command;

  /** `command` is a program and its arguments, where it is not the server under test. */
  constructor(env, command) {
    this.#env = env;
    this.#command = command;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  get path() {
    return this.#env.SIO_PATH ?? (this.#env.PROFILE?.startsWith("engine-") ? "/engine.io/" : "/socket.io/");
  }

  get pid() {
    return this.#child?.pid;
  }

  /** Spawns the process and waits for its `listening` line. */
  async start() {
    const [program, args] = this.#command ?? command();
    const child = spawn(program, args, {
      env: { ...process.env, HOST: "127.0.0.1", ...this.#env, PORT: String(this.port ?? 0) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    children.add(child);
    this.log = "";
    child.stderr.setEncoding("utf8").on("data", (text) => (this.log += text));
    // `exit` may come before the pipes are read out; `close` comes last.
    this.exited = new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal })));
    this.exited.then(() => children.delete(child));
    this.port = await new Promise((resolve, reject) => {
      let out = "";
      const timer = setTimeout(() => reject(new Error(`no "listening" line within 10 s; stderr: ${this.log}`)), 10_000);
      child.once("error", reject);
      this.exited.then(({ code, signal }) => reject(new Error(`server ended (${code ?? signal}); stderr: ${this.log}`)));
      child.stdout.setEncoding("utf8").on("data", (text) => {
        const line = /^listening (\d+)\n/.exec((out += text));
        if (!line) return;
        clearTimeout(timer);
        resolve(Number(line[1]));
      });
    });
    return this;
  }

  /** Asks the process to end, as a supervisor would; true if it ended by itself with code 0. */
  async stop() {
    return (await this.#end("SIGTERM")).code === 0;
  }

  /** Cuts the process off without a word. */
  async kill() {
    await this.#end("SIGKILL");
  }

  async #end(signal) {
    if (!this.#child) return {};
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 3_000);
    this.#child.kill(signal);
    const result = await this.exited;
    clearTimeout(timer);
    this.#child = undefined;
    return result;
  }

  /** What the server holds just now: `{sessions, sockets, rooms}`. */
  async counts() {
    const response = await fetch(`${this.url}/counts`);
    return response.json();
  }
}

/** Starts a server for the tests of the calling file or suite; it is stopped after them. */
export async function startTarget(env = {}) {
  const target = await new Target(env).start();
  after(() => target.stop());
  return target;
}

/** A port that nothing listens on just now. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
