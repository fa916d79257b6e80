// Order, and nothing lost or twice: bursts, and traffic in both directions while the transport changes.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MODES, call, connect, manager, onceUpgraded, open, settle, socketOf, take, waiting } from "../lib/client.mjs";
import { startTarget } from "../lib/target.mjs";
import { eventually, pause } from "../lib/wait.mjs";

const target = await startTarget({ PROFILE: "full" });

const upTo = (n) => Array.from({ length: n }, (_, i) => i);
const numbers = (socket, event) => waiting(socket, event).map(([n]) => n);

for (const mode of MODES) {
  describe(mode, () => {
    test("1,000 events of one burst arrive in order", async () => {
      const socket = await connect(target, mode);
      socket.emit("burst", 1000);
      await eventually(() => numbers(socket, "tick").length >= 1000, "1,000 ticks");
      await settle(socket);
      assert.deepEqual(numbers(socket, "tick"), upTo(1000));
    });

    test("1,000 events are handled in the order they were sent", async () => {
      const socket = await connect(target, mode);
      for (const i of upTo(1000)) socket.emit("echo", i);
      await eventually(() => numbers(socket, "echo").length >= 1000, "1,000 echoes");
      await settle(socket);
      assert.deepEqual(numbers(socket, "echo"), upTo(1000));
    });

    test("text, binary and acknowledgements keep their order among each other", async () => {
      const socket = await connect(target, mode);
      const seen = [];
      socket.on("echo", (i) => seen.push(i));
      for (const i of upTo(200)) {
        if (i % 3 === 0) socket.emit("echo", i, { data: Buffer.alloc(i) });
        else if (i % 3 === 1) socket.emit("echo", i);
        else socket.emit("echo", i, Buffer.alloc(1), (n) => seen.push(n));
      }
      await settle(socket);
      assert.deepEqual(seen, upTo(200));
    });

    test("an emit before a later handler's answer comes first", async () => {
      const socket = await connect(target, mode);
      const order = [];
      socket.on("tick", (i) => order.push(i));
      socket.emit("burst", 3);
      socket.emit("echo", "after", () => order.push("ack"));
      await settle(socket);
      assert.deepEqual(order, [0, 1, 2, "ack"]);
    });
  });
}

describe("during an upgrade", () => {
  // Sends until the upgrade is over and `least` are out, a few per turn, so that some go out on either
  // transport and some while the client holds its breath in between.
  async function pump(upgraded, send, least) {
    let sent = 0;
    let after = 0;
    while (sent < least || after < 200) {
      for (let i = 0; i < 5; i++) send(sent++);
      if (upgraded()) after += 5;
      await pause(1);
    }
    return sent;
  }

  async function upgrading() {
    const connection = manager(target, "upgrade");
    const socket = socketOf(connection);
    let at;
    onceUpgraded(connection, () => (at = { echo: numbers(socket, "echo").length, said: numbers(socket, "said").length }));
    await open(socket);
    return [socket, () => at];
  }

  test("1,000 messages of the client arrive once each and in order", async () => {
    const [socket, upgraded] = await upgrading();
    const sent = await pump(upgraded, (i) => socket.emit("echo", i), 1000);
    await eventually(() => numbers(socket, "echo").length >= sent, "all echoes", 10_000);
    await settle(socket);
    assert.deepEqual(numbers(socket, "echo"), upTo(sent));
    assert.ok(upgraded().echo < sent, "some came over each transport");
    assert.deepEqual(await call(socket, "transport"), ["websocket"]);
  });

  test("1,000 messages of the server arrive once each and in order", async () => {
    const speaker = await connect(target, "websocket");
    const [socket, upgraded] = await upgrading();
    await call(socket, "join", "listeners");
    const sent = await pump(upgraded, (i) => speaker.emit("say", "listeners", i), 1000);
    await eventually(() => numbers(socket, "said").length >= sent, "all said", 10_000);
    await settle(socket);
    assert.deepEqual(numbers(socket, "said"), upTo(sent));
    assert.ok(upgraded().said < sent, "some came over each transport");
  });

  test("both at once, with binary", async () => {
    const speaker = await connect(target, "websocket");
    const [socket, upgraded] = await upgrading();
    await call(socket, "join", "both");
    const sent = await pump(
      upgraded,
      (i) => {
        socket.emit("echo", i, Buffer.alloc(i % 50, i));
        speaker.emit("say", "both", i, { data: Buffer.alloc(i % 50, i) });
      },
      1000,
    );
    const all = () => numbers(socket, "said").length >= sent && numbers(socket, "echo").length >= sent;
    await eventually(all, "all of both", 10_000);
    await settle(socket);
    for (const [event, pick] of [["echo", (args) => args[1]], ["said", (args) => args[1].data]]) {
      assert.deepEqual(numbers(socket, event), upTo(sent));
      for (const args of waiting(socket, event)) assert.deepEqual(pick(args), Buffer.alloc(args[0] % 50, args[0]));
    }
  });

  test("a burst that is under way when the upgrade begins", async () => {
    const [socket, upgraded] = await upgrading();
    socket.emit("burst", 5000);
    await eventually(() => upgraded() && numbers(socket, "tick").length >= 5000, "all ticks", 10_000);
    await settle(socket);
    assert.deepEqual(numbers(socket, "tick"), upTo(5000));
  });

  test("twenty clients upgrade at once, each with traffic", async () => {
    const clients = await Promise.all(upTo(20).map(upgrading));
    await Promise.all(
      clients.map(async ([socket, upgraded]) => {
        const sent = await pump(upgraded, (i) => socket.emit("echo", i), 100);
        await eventually(() => numbers(socket, "echo").length >= sent, "all echoes", 20_000);
        assert.deepEqual(numbers(socket, "echo"), upTo(sent));
      }),
    );
  });
});

test("two tabs of one client do not mix: 10 sockets echo at once", async () => {
  const sockets = await Promise.all(upTo(10).map((i) => connect(target, MODES[i % MODES.length])));
  for (const round of upTo(50)) sockets.forEach((socket, i) => socket.emit("echo", `${i}:${round}`));
  for (const [i, socket] of sockets.entries()) {
    for (const round of upTo(50)) assert.deepEqual(await take(socket, "echo"), [`${i}:${round}`]);
  }
});
