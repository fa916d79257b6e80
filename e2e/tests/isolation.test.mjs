// What one handler does must not be felt elsewhere.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MODES, call, connect, manager, open, settle, socketOf, waiting } from "../lib/client.mjs";
import { deviation, startTarget } from "../lib/target.mjs";
import { eventually } from "../lib/wait.mjs";

const target = await startTarget({ PROFILE: "full", PING_INTERVAL: "200", PING_TIMEOUT: "1000" });

for (const mode of MODES) {
  describe(mode, () => {
    test("a handler that waits holds up no other socket and no other namespace", async () => {
      const connection = manager(target, mode);
      const main = await open(socketOf(connection));
      const chat = await open(socketOf(connection, "/chat"));
      const other = await connect(target, mode);
      const order = [];
      const slow = call(main, "slow", 500, "slow").then(([value]) => order.push(value));
      await call(chat, "echo", "chat").then(([value]) => order.push(value));
      await call(other, "echo", "other").then(([value]) => order.push(value));
      await slow;
      assert.deepEqual(order, ["chat", "other", "slow"]);
    });

    test("a socket's later events wait for its handler", deviation("ordered-handlers"), async () => {
      const socket = await connect(target, mode);
      const order = [];
      const slow = call(socket, "slow", 200, "slow").then(([value]) => order.push(value));
      await call(socket, "echo", "later").then(([value]) => order.push(value));
      await slow;
      assert.deepEqual(order, ["slow", "later"]);
    });

    test("a handler that waits for an answer gets it, whatever is queued behind it", async () => {
      const socket = await connect(target, mode);
      socket.on("request", (value, ack) => setTimeout(() => ack(value), 50));
      socket.emit("request", "a");
      socket.emit("request", "b");
      for (let i = 0; i < 20; i++) socket.emit("echo", i);
      await eventually(() => waiting(socket, "reply").length === 2, "both replies");
      assert.deepEqual(waiting(socket, "reply"), [["a"], ["b"]]);
      await settle(socket);
      assert.equal(waiting(socket, "echo").length, 20);
    });

    test("a panic costs one event, nothing else", deviation("interop-extras"), async () => {
      const connection = manager(target, mode);
      const main = await open(socketOf(connection));
      const chat = await open(socketOf(connection, "/chat"));
      for (let i = 0; i < 3; i++) main.emit("panic");
      await assert.rejects(main.timeout(100).emitWithAck("panic"), /timed out/);
      await settle(main);
      await settle(chat);
      assert.equal(main.connected, true);
    });

    test("arguments that do not fit are told to who asked", deviation("interop-extras"), async () => {
      const socket = await connect(target, mode);
      for (const args of [[], ["text"], [1, "text"], ["text", "text"], ["text", 1.5], [null, null]]) {
        const reply = await call(socket, "typed", ...args);
        assert.equal(reply.length, 1);
        assert.deepEqual(Object.keys(reply[0]), ["error"]);
        assert.equal(typeof reply[0].error, "string");
        // Without an acknowledgement the event is dropped.
        socket.emit("typed", ...args);
      }
      await settle(socket);
      assert.equal(socket.connected, true);
      // A peer in JavaScript does not count surplus arguments as an error, and neither does the handler.
      const [fits] = await call(socket, "typed", "text", 7, "surplus");
      assert.equal(fits?.error, undefined);
    });

    test("a handler that never returns is felt by its own socket alone", deviation("interop-extras"), async () => {
      const connection = manager(target, mode);
      const main = await open(socketOf(connection));
      const chat = await open(socketOf(connection, "/chat"));
      const other = await connect(target, mode);
      let pings = 0;
      connection.on("ping", () => (pings += 1));
      main.emit("forever");
      await assert.rejects(main.timeout(100).emitWithAck("echo", "behind it"), /timed out/);
      await settle(chat);
      await settle(other);
      await eventually(() => pings >= 3, "heartbeats go on");
      assert.equal(main.connected, true);
      // Its disconnect does not wait either, and the next socket starts afresh.
      main.disconnect();
      await settle(chat);
      await open(main);
      await settle(main);
    });
  });
}
