// The servers that our client is tested against. All of them implement the profile `full`.

import { fileURLToPath } from "node:url";
import { Target } from "../lib/target.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const node = (socketIo) => ({
  command: [process.execPath, [here("../reference/server.mjs")]],
  env: { SOCKET_IO_PACKAGE: socketIo },
});
const python = process.env.PYTHON || here("../.venv/bin/python");

export const PEERS = {
  sockeye: { packs: true },
  "socket.io 4": { ...node("socket.io"), recovers: true, packs: true },
  "socket.io 3": node("socket.io-3"),
  // Version 2 has no auth, only queries, and a refusal is either data or a message.
  "socket.io 2": { ...node("socket.io-2"), isOld: true, opts: { eio: 3 } },
  "python-socketio": {
    command: [python, [here("peers/python_server.py")]],
    env: {},
    // It tells a handler not whether an acknowledgement is wanted, and has words of its own.
    isPython: true,
  },
};

/** Starts one of them for a test. */
export async function startPeer(t, name, env = {}) {
  const { command, env: own } = PEERS[name];
  const target = await new Target({ ...own, ...env }, command).start();
  t.after(() => target.stop());
  return target;
}
