// Thousands of sessions, abandoned in every state there is. Afterwards the server must hold nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Wire, frameOf, requestBytes, textOf, upgradeHeaders } from "../lib/raw.mjs";
import { Target } from "../lib/target.mjs";
import { eventually } from "../lib/wait.mjs";

const SESSIONS = Number(process.env.LEAK_SESSIONS || 10_000);
const WORKERS = 50;

const target = await new Target({
  PROFILE: "full",
  OWN_NAMESPACES: "10",
  PING_INTERVAL: "1000",
  PING_TIMEOUT: "1000",
  CONNECT_TIMEOUT: "1000",
  UPGRADE_TIMEOUT: "1000",
  MAX_PAYLOAD: "1000",
}).start();

// One worker: a connection that it keeps for short requests, so that each session costs one or two
// connections and not ten.
class Worker {
  #requests;

  async request(request) {
    if (!this.#requests || this.#requests.ended) this.#requests = new Wire(target.port);
    const response = await this.#requests.send(requestBytes(request)).response({ ms: 30_000 });
    if (response) return response;
    this.#requests = undefined;
    return this.request(request);
  }

  async handshake() {
    const response = await this.request({ path: "/socket.io/?EIO=4&transport=polling" });
    return JSON.parse(textOf(response).slice(1)).sid;
  }

  post(sid, body) {
    return this.request({ method: "POST", path: pathOf("polling", sid), body });
  }

  /** A WebSocket, for a new session or a known one. */
  async webSocket(sid) {
    const wire = new Wire(target.port);
    wire.send(requestBytes({ path: pathOf("websocket", sid), headers: upgradeHeaders() }));
    const response = await wire.response({ ms: 30_000 });
    assert.equal(response?.status, 101);
    if (!sid) assert.match(await wire.frame(30_000), /^0\{/);
    return wire;
  }

  async joined(namespace = "") {
    const wire = await this.webSocket();
    wire.text(`40${namespace}`);
    assert.match(await wire.frame(30_000), /^40/);
    assert.match(await wire.frame(30_000), /welcome/);
    return wire;
  }

  end() {
    this.#requests?.destroy();
  }
}

const pathOf = (transport, sid) => `/socket.io/?EIO=4&transport=${transport}${sid ? `&sid=${sid}` : ""}`;

// How a connection is cut: both ways must do.
const cut = (wire, i) => (i % 2 ? wire.destroy() : wire.reset());

const STATES = {
  "only a handshake": (worker) => worker.handshake(),

  "a poll that is cut": async (worker, i) => {
    const sid = await worker.handshake();
    const wire = new Wire(target.port).send(requestBytes({ path: pathOf("polling", sid) }));
    await worker.post(sid, "3");
    cut(wire, i);
  },

  "a POST that is cut": async (worker, i) => {
    const sid = await worker.handshake();
    const wire = new Wire(target.port);
    wire.send(requestBytes({ method: "POST", path: pathOf("polling", sid), headers: { "Content-Length": 100 } }));
    wire.send("40");
    await worker.request({ path: "/healthz" });
    cut(wire, i);
  },

  "joined over polling, then silent": async (worker) => {
    const sid = await worker.handshake();
    await worker.post(sid, "40");
    await worker.post(sid, '42["join","a room"]');
  },

  "closed by a violation over polling, never polled again": async (worker) => {
    const sid = await worker.handshake();
    await worker.post(sid, '42["before","connect"]');
  },

  "a close packet over polling": async (worker) => {
    const sid = await worker.handshake();
    await worker.post(sid, "40");
    await worker.post(sid, "1");
  },

  "half a binary packet over polling": async (worker) => {
    const sid = await worker.handshake();
    await worker.post(sid, "40");
    await worker.post(sid, '451-["echo",{"_placeholder":true,"num":0}]');
  },

  "a WebSocket that is cut before CONNECT": async (worker, i) => cut(await worker.webSocket(), i),

  "a WebSocket handshake that is cut": async (worker, i) => {
    const wire = new Wire(target.port);
    wire.send(requestBytes({ path: pathOf("websocket"), headers: upgradeHeaders() }));
    await worker.request({ path: "/healthz" });
    cut(wire, i);
  },

  "a WebSocket that says nothing": async (worker) => void (await worker.webSocket()),

  "joined, in rooms, cut": async (worker, i) => {
    const wire = await worker.joined();
    wire.text('420["join","a room"]').text(`421["join","room ${i}"]`);
    await wire.frame(30_000);
    await wire.frame(30_000);
    cut(wire, i);
  },

  "joined to several namespaces, cut": async (worker, i) => {
    const wire = await worker.joined("/chat,");
    wire.text("40").text(`40/own-${i % 10},`).text("40/nowhere,");
    for (let n = 0; n < 5; n++) await wire.frame(30_000);
    cut(wire, i);
  },

  "with a disconnect packet, then cut": async (worker, i) => {
    const wire = await worker.joined();
    wire.text("41");
    cut(wire, i);
  },

  "half a binary packet, cut": async (worker, i) => {
    const wire = await worker.joined();
    wire.text('452-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]').binary([1]);
    await worker.request({ path: "/healthz" });
    cut(wire, i);
  },

  "half a WebSocket frame, cut": async (worker, i) => {
    const wire = await worker.joined();
    wire.send(frameOf(1, Buffer.from("4".padEnd(500, "x"))).subarray(0, 100));
    cut(wire, i);
  },

  "a fragmented message without its end, cut": async (worker, i) => {
    const wire = await worker.joined();
    wire.send(frameOf(1, Buffer.from("42["), { first: 0x01 }));
    cut(wire, i);
  },

  "a probe, cut": async (worker, i) => {
    const sid = await worker.handshake();
    const wire = await worker.webSocket(sid);
    wire.text("2probe");
    assert.equal(await wire.frame(30_000), "3probe");
    cut(wire, i);
  },

  "a candidate that says nothing": async (worker) => {
    const sid = await worker.handshake();
    await worker.webSocket(sid);
  },

  "upgraded, cut": async (worker, i) => {
    const sid = await worker.handshake();
    await worker.post(sid, "40");
    const wire = await worker.webSocket(sid);
    wire.text("2probe").text("5");
    assert.equal(await wire.frame(30_000), "3probe");
    assert.match(await wire.frame(30_000), /^40/);
    cut(wire, i);
  },

  "CONNECT that waits in a middleware, cut": async (worker, i) => {
    const wire = await worker.webSocket();
    wire.text("40/lag,");
    await worker.request({ path: "/healthz" });
    cut(wire, i);
  },

  "CONNECT that waits in a middleware, over polling": async (worker) => {
    const sid = await worker.handshake();
    await worker.post(sid, "40/lag,");
  },

  "a slow handler and a question without an answer, cut": async (worker, i) => {
    const wire = await worker.joined();
    wire.text('420["slow",300,"x"]').text('42["request","x"]').text('42["say-later",100,"a room","x"]');
    cut(wire, i);
  },
};

test(`${SESSIONS} abandoned sessions leave nothing behind`, { timeout: 170_000 }, async (t) => {
  const states = Object.entries(STATES);
  let next = 0;
  const work = async () => {
    const worker = new Worker();
    while (next < SESSIONS) {
      const i = next++;
      const [name, leave] = states[i % states.length];
      await leave(worker, Math.floor(i / states.length)).catch((error) => {
        throw new Error(`${name}: ${error.message}`, { cause: error });
      });
    }
    worker.end();
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: WORKERS }, work));
  const opened = performance.now();

  const none = async () => {
    const { sessions, sockets, rooms } = await target.counts();
    return sessions === 0 && sockets === 0 && rooms === 0;
  };
  await eventually(none, "nothing left", 30_000).catch(async (error) => {
    throw new Error(`${error.message}: ${JSON.stringify(await target.counts())}`);
  });
  t.diagnostic(`opened in ${Math.round(opened - started)} ms, gone ${Math.round(performance.now() - opened)} ms later`);

  // And it still works.
  const worker = new Worker();
  const wire = await worker.joined();
  assert.deepEqual(await target.counts(), { sessions: 1, sockets: 1, rooms: 0 });
  wire.destroy();
  worker.end();
  await eventually(none, "nothing left", 10_000);
  assert.equal(await target.stop(), true);
});
