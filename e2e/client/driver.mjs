// Steers `interop-client`: one process per test, commands and reports as lines of JSON.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { within } from "../lib/wait.mjs";

const BINARY =
  process.env.INTEROP_CLIENT || fileURLToPath(new URL("../../target/debug/interop-client", import.meta.url));

export const bin = (...bytes) => ({ $bin: Buffer.from(bytes).toString("base64") });

/** Options that make a client quick to try again. */
export const QUICK = { reconnectionDelay: 30, reconnectionDelayMax: 100, randomizationFactor: 0 };

export class Driver {
  #child;
  #reports = [];
  #waiting = new Set();
  #acks = 0;
  log = "";

  /** Starts the process, which is ended after the test. */
  static async start(t) {
    if (!existsSync(BINARY)) {
      throw new Error(`${BINARY} is missing: run \`cargo build -p interop-client\`, or name another one in INTEROP_CLIENT`);
    }
    const driver = new Driver();
    driver.#child = spawn(BINARY, { stdio: ["pipe", "pipe", "pipe"] });
    driver.exited = new Promise((resolve) => driver.#child.once("close", (code) => resolve(code)));
    driver.#child.stderr.setEncoding("utf8").on("data", (text) => (driver.log += text));
    let partial = "";
    driver.#child.stdout.setEncoding("utf8").on("data", (text) => {
      const lines = (partial + text).split("\n");
      partial = lines.pop();
      for (const line of lines) driver.#take(JSON.parse(line));
    });
    t.after(() => driver.exit());
    await driver.next("ready");
    return driver;
  }

  #take(report) {
    this.#reports.push(report);
    for (const check of [...this.#waiting]) check();
  }

  send(command) {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`);
  }

  /** Takes the first report of this kind that fits, waiting for it if need be. */
  next(ev, fits = {}, ms = 10_000) {
    const isIt = (report) => report.ev === ev && Object.entries(fits).every(([key, value]) => report[key] === value);
    const found = new Promise((resolve) => {
      const check = () => {
        const index = this.#reports.findIndex(isIt);
        if (index < 0) return;
        this.#waiting.delete(check);
        resolve(this.#reports.splice(index, 1)[0]);
      };
      this.#waiting.add(check);
      check();
    });
    return within(found, `report ${ev} ${JSON.stringify(fits)}; there are ${JSON.stringify(this.#reports)}; ${this.log}`, ms);
  }

  /** Whether a report of this kind has come and was not taken. */
  has(ev, fits = {}) {
    return this.#reports.some(
      (report) => report.ev === ev && Object.entries(fits).every(([key, value]) => report[key] === value),
    );
  }

  open(id, target, opts = {}) {
    this.send({ op: "open", id, url: target.url, opts: { ...QUICK, ...opts } });
  }

  /** Opens and waits until the socket is connected. */
  async connect(id, target, opts = {}) {
    this.open(id, target, opts);
    return this.next("connect", { id });
  }

  emit(id, event, ...args) {
    this.send({ op: "emit", id, event, args });
  }

  /** Emits with an acknowledgement; its arguments, or null if none came. */
  async ask(id, event, ...args) {
    return this.answer(this.request(id, { event, args }));
  }

  request(id, command) {
    const ack = `ack-${this.#acks++}`;
    this.send({ op: "emit", id, ack, timeout: 5_000, ...command });
    return ack;
  }

  async answer(ack) {
    const ended = await Promise.race([this.next("ack", { ack }), this.next("ack_error", { ack })]);
    return ended.ev === "ack" ? ended.args : null;
  }

  /** The arguments of the next event of this name. */
  async event(id, event) {
    return (await this.next("event", { id, event })).args;
  }

  async state(id) {
    this.send({ op: "state", id });
    return this.next("state", { id });
  }

  async exit() {
    if (this.#child.exitCode !== null) return;
    this.send({ op: "exit" });
    await within(this.exited, "the client's end");
  }
}
