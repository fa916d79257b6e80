// Payloads at the limit and over it, and the heartbeat: kept, lost, put off.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MODES, call, connect, disconnected, manager, settle } from "../lib/client.mjs";
import { Engine, frameOf, textOf } from "../lib/raw.mjs";
import { startTarget } from "../lib/target.mjs";
import { eventually, once, pause } from "../lib/wait.mjs";

describe("payload limit", async () => {
  const LIMIT = 10_000;
  const full = await startTarget({ PROFILE: "full", MAX_PAYLOAD: String(LIMIT) });
  const echo = await startTarget({ PROFILE: "engine-echo", MAX_PAYLOAD: String(LIMIT), PING_INTERVAL: "25000" });

  test("polling: a body at the limit passes, one byte more is answered 413 and the session stays", async () => {
    const engine = new Engine(echo);
    await engine.handshake();
    assert.equal(engine.hello.maxPayload, LIMIT);

    const most = "4".padEnd(LIMIT, "x");
    assert.equal((await engine.post(most)).status, 200);
    assert.equal(await engine.next(), most);

    const refused = await engine.post(`${most}x`);
    assert.equal(refused.status, 413);
    assert.equal(textOf(refused), "");

    assert.equal(textOf(await engine.post("4still here")), "ok");
    assert.equal(await engine.next(), "4still here");
  });

  test("polling: the limit counts bytes, not characters", async () => {
    const engine = new Engine(echo);
    await engine.handshake();
    assert.equal((await engine.post("4" + "€".repeat(LIMIT / 2))).status, 413);
    assert.equal((await engine.post("4" + "€".repeat(LIMIT / 3 - 1))).status, 200);
  });

  for (const [kind, opcode, type] of [["text", 1, "4"], ["binary", 2, ""]]) {
    test(`websocket: a ${kind} message at the limit passes, one byte more closes with 1009`, async () => {
      const engine = new Engine(echo);
      const wire = await engine.websocket();
      const most = Buffer.from(type.padEnd(LIMIT, "x"));
      wire.send(frameOf(opcode, most));
      const back = await wire.frame();
      assert.equal(back.length, opcode === 1 ? LIMIT : 2 + 2 * LIMIT);

      wire.send(frameOf(opcode, Buffer.concat([most, Buffer.from("x")])));
      assert.deepEqual((await wire.frames()).slice(0, 1), ["close:1009"]);
      await eventually(async () => (await engine.get()).status === 400, "session gone");
    });
  }

  test("websocket: the limit holds for a message in fragments", async () => {
    const engine = new Engine(echo);
    const wire = await engine.websocket();
    const half = Buffer.alloc(LIMIT / 2 + 1, 0x78);
    wire.send(frameOf(1, half, { first: 0x01 }));
    wire.send(frameOf(0, half, { first: 0x80 }));
    assert.deepEqual((await wire.frames()).slice(0, 1), ["close:1009"]);
  });

  for (const mode of MODES) {
    test(`${mode}: what the official client sees`, async () => {
      const socket = await connect(full, mode);
      assert.deepEqual(await call(socket, "echo", "x".repeat(LIMIT / 2)), ["x".repeat(LIMIT / 2)]);
      const gone = disconnected(socket);
      socket.emit("echo", "x".repeat(LIMIT));
      const [reason, details] = await gone;
      if (mode === "polling") {
        assert.equal(reason, "transport error");
        assert.equal(details.message, "xhr post error");
        assert.equal(details.description, 413);
      } else {
        assert.equal(reason, "transport close");
        assert.equal(details.context.code, 1009);
        assert.equal(details.context.reason, "");
      }
    });
  }

  test("the official client splits what it has queued to fit the limit", async () => {
    const socket = await connect(full, "polling");
    const text = "x".repeat(1000);
    const answers = await Promise.all(Array.from({ length: 50 }, () => call(socket, "echo", text)));
    assert.equal(answers.length, 50);
  });

  test("what the server sends is not limited", async () => {
    for (const mode of MODES) {
      const socket = await connect(full, mode);
      socket.emit("bin", 5 * LIMIT);
      const [data] = await once(socket, "bin");
      assert.equal(data.length, 5 * LIMIT);
    }
  });
});

describe("heartbeat", async () => {
  const quick = await startTarget({ PROFILE: "protocol" });

  for (const mode of MODES) {
    test(`${mode}: a client that answers stays`, async () => {
      const connection = manager(quick, mode);
      let pings = 0;
      connection.on("ping", () => (pings += 1));
      const socket = connection.socket("/");
      socket.connect();
      await once(socket, "connect");
      let lost;
      socket.on("disconnect", (reason) => (lost = reason));
      await eventually(() => pings >= 5, "five pings");
      assert.equal(lost, undefined);
    });
  }

  test("the first ping comes one interval after the handshake, not at once", async () => {
    const engine = new Engine(quick);
    const wire = await engine.websocket();
    const opened = performance.now();
    assert.equal(await wire.frame(), "2");
    const waited = performance.now() - opened;
    assert.ok(waited > 250 && waited < 1_000, `first ping after ${waited} ms`);
    wire.text("3");
    assert.equal(await wire.frame(), "2");
    engine.close();
  });

  test("websocket: no pong, no session", async () => {
    const engine = new Engine(quick);
    const wire = await engine.websocket();
    assert.equal(await wire.frame(), "2");
    const pinged = performance.now();
    assert.deepEqual(await wire.frames(), ["close:1005", "end"]);
    const waited = performance.now() - pinged;
    assert.ok(waited > 150 && waited < 1_000, `closed after ${waited} ms`);
    assert.equal((await engine.get()).status, 400);
  });

  test("polling: no pong, no session; the pending poll is answered", async () => {
    const engine = new Engine(quick);
    await engine.handshake();
    assert.equal(await engine.next(), "2");
    assert.equal(await engine.next(), "1");
    const refused = await engine.get();
    assert.equal(refused.status, 400);
    assert.equal(textOf(refused), '{"code":1,"message":"Session ID unknown"}');
  });

  test("polling: a session that nobody polls ends too", async () => {
    const engine = new Engine(quick);
    await engine.handshake();
    await eventually(async () => (await engine.post("3")).status === 400 || pause(600), "session gone", 5_000);
  });

  test("an unasked pong does no harm", async () => {
    const engine = new Engine(quick);
    const wire = await engine.websocket();
    wire.text("3");
    wire.text("3");
    wire.text("40");
    assert.match(await wire.frame(), /^40/);
    engine.close();
  });

  test("one other packet puts the deadline off, a second one does not", async () => {
    const slow = await startTarget({ PROFILE: "engine-echo", PING_INTERVAL: "100", PING_TIMEOUT: "600" });
    const engine = new Engine(slow);
    const wire = await engine.websocket();
    assert.equal(await wire.frame(), "2");
    const pinged = performance.now();
    const packets = [300, 700].map((ms) => setTimeout(() => wire.text("4x"), ms));
    assert.deepEqual(await wire.frames(), ["4x", "4x", "close:1005", "end"]);
    const waited = performance.now() - pinged;
    packets.forEach(clearTimeout);
    // 600 without a packet, 900 with the first one, 1,300 if the second one counted.
    assert.ok(waited > 800 && waited < 1_250, `closed after ${waited} ms`);
  });

  test("data does not replace the pong", async () => {
    const engine = new Engine(quick);
    const wire = await engine.websocket();
    wire.text("40");
    const chatter = setInterval(() => wire.text('42["message","x"]'), 50);
    const frames = await wire.frames();
    clearInterval(chatter);
    assert.equal(frames.filter((frame) => frame === "2").length, 1);
    assert.deepEqual(frames.slice(-2), ["close:1005", "end"]);
  });

  test("a ping from the client is the wrong direction and ends the session", async () => {
    const engine = new Engine(quick);
    const wire = await engine.websocket();
    wire.text("2");
    assert.deepEqual(await wire.frames(), ["close:1005", "end"]);

    const polling = new Engine(quick);
    await polling.handshake();
    assert.equal(textOf(await polling.post("2")), "ok");
    assert.equal((await polling.get()).status, 400);
  });

  test("the heartbeat goes on over an upgrade", async () => {
    const socket = await connect(quick, "upgrade");
    let pings = 0;
    socket.io.on("ping", () => (pings += 1));
    await eventually(() => pings >= 3, "three pings");
    assert.equal(socket.connected, true);
    socket.emit("message", 1);
    await once(socket, "message-back");
  });
});
