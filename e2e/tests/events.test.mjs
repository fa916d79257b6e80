// Events and acknowledgements, text and binary, in both directions.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MODES, call, connect, settle, take, waiting } from "../lib/client.mjs";
import { once } from "../lib/wait.mjs";
import { startTarget } from "../lib/target.mjs";

const target = await startTarget({ PROFILE: "full", ACK_TIMEOUT: "300" });

const bytes = (...values) => Buffer.from(values);

// Lists of arguments that must come back as they were.
const TEXT = {
  "no arguments": [],
  "null": [null],
  "booleans": [true, false],
  "numbers": [0, -1, 1.5, 1e21, -1e-7, 2 ** 53, Number.MAX_VALUE, 5e-324],
  "strings": ["", "text", " ", "\u0000\u001e\u2028\u2029\\\"\n\t/"],
  "unicode": ["ünïcödé", "日本語", "😀👩‍👩‍👧", "\u{10ffff}", "a\u0301"],
  "empty array and object": [[], {}],
  "nested": [{ a: [1, { b: [null, { c: "deep" }] }], "": { "key with \"quotes\"": [[[[]]]] } }],
  "many": Array.from({ length: 50 }, (_, i) => i),
  "looks like a packet": ["42[\"x\"]", "451-", "b4", "_placeholder"],
  "a long string": ["x".repeat(100_000)],
};

const BINARY = {
  "one attachment": [bytes(1, 2, 3)],
  "an empty attachment": [bytes()],
  "all byte values": [Buffer.from(Array.from({ length: 256 }, (_, i) => i))],
  "several, nested": [{ a: bytes(0), b: [bytes(1, 30, 255), { c: bytes(2), text: "t" }] }, "between", bytes(3)],
  "ten": Array.from({ length: 10 }, (_, i) => bytes(i, i)),
  "the same twice": ((one) => [one, { again: one }])(bytes(9)),
  "large": [Buffer.alloc(200_000, 7)],
};

for (const mode of MODES) {
  describe(mode, () => {
    for (const [name, args] of Object.entries({ ...TEXT, ...BINARY })) {
      test(`echo: ${name}`, async () => {
        const socket = await connect(target, mode);
        socket.emit("echo", ...args);
        assert.deepEqual(await take(socket, "echo"), args);
        assert.deepEqual(await call(socket, "echo", ...args), args, "in an acknowledgement");
      });
    }

    test("the server's own binary event", async () => {
      const socket = await connect(target, mode);
      for (const size of [0, 1, 300, 70_000]) {
        socket.emit("bin", size);
        const [data, nested] = await take(socket, "bin");
        assert.deepEqual(data, Buffer.from(Uint8Array.from({ length: size }, (_, i) => i % 256)));
        assert.deepEqual(nested, { nested: [bytes(0, 1), "t"] });
      }
    });

    test("binary is seen as binary, and other things are not", async () => {
      const socket = await connect(target, mode);
      assert.deepEqual(await call(socket, "bin-size", Buffer.alloc(1234)), [1234]);
      assert.deepEqual(await call(socket, "bin-size", new Uint8Array(5)), [5]);
      assert.deepEqual(await call(socket, "bin-size", bytes()), [0]);
      for (const value of ["text", null, 7, {}, [1, 2], { _placeholder: true, num: "0" }]) {
        assert.deepEqual(await call(socket, "bin-size", value), [-1]);
      }
    });

    test("the server asks, the client answers", async () => {
      const socket = await connect(target, mode);
      socket.on("request", (...args) => args.pop()("answer", ...args));
      for (const args of [[], [1, "two"], [bytes(1), { b: bytes(2) }], [null, { a: [] }]]) {
        socket.emit("request", ...args);
        assert.deepEqual(await take(socket, "reply"), ["answer", ...args]);
      }
    });

    test("an empty answer is an answer", async () => {
      const socket = await connect(target, mode);
      socket.on("request", (ack) => ack());
      socket.emit("request");
      assert.deepEqual(await take(socket, "reply"), []);
    });

    test("the server's question expires when nobody answers", async () => {
      const socket = await connect(target, mode);
      let late;
      socket.on("silent", (ack) => (late = ack));
      socket.emit("request-timeout", 50);
      assert.deepEqual(await take(socket, "request-timeout"), [true]);
      // An answer that comes too late does no harm, a second one neither.
      late("late");
      await settle(socket);
      assert.deepEqual(waiting(socket, "request-timeout"), []);
    });

    test("the server's question does not expire when it is answered", async () => {
      const socket = await connect(target, mode);
      socket.on("silent", (ack) => ack());
      socket.emit("request-timeout", 2_000);
      assert.deepEqual(await take(socket, "request-timeout"), [false]);
    });

    test("a question that the server never answers expires at the client", async () => {
      const socket = await connect(target, mode);
      await assert.rejects(socket.timeout(50).emitWithAck("noack"), /operation has timed out/);
      await settle(socket);
    });

    test("an event that nobody listens to does no harm, with or without an acknowledgement", async () => {
      const socket = await connect(target, mode);
      socket.emit("no such event", 1, bytes(2));
      await assert.rejects(socket.timeout(50).emitWithAck("no such event"), /operation has timed out/);
      await settle(socket);
    });

    test("answers go to the questions they belong to", async () => {
      const socket = await connect(target, mode);
      const questions = Array.from({ length: 50 }, (_, i) => call(socket, "slow", (i * 7) % 20, i));
      assert.deepEqual((await Promise.all(questions)).flat(), Array.from({ length: 50 }, (_, i) => i));
    });

    test("counters: mark, peek, mark-ack-on", async () => {
      const socket = await connect(target, mode);
      const key = `counter of ${mode}`;
      assert.deepEqual(await call(socket, "peek", key), [0]);
      socket.emit("mark", key);
      assert.deepEqual(await call(socket, "peek", key), [1]);
      await assert.rejects(socket.timeout(100).emitWithAck("mark-ack-on", key, 3), /timed out/);
      assert.deepEqual(await call(socket, "mark-ack-on", key, 3), [3]);
      assert.deepEqual(await call(socket, "peek", key), [3]);
    });
  });
}

describe("volatile events of the client", () => {
  test("reach the server while the transport is free", async () => {
    const socket = await connect(target, "websocket");
    await settle(socket);
    socket.volatile.emit("mark", "volatile");
    assert.deepEqual(await call(socket, "peek", "volatile"), [1]);
  });

  test("are dropped while there is no connection", async () => {
    const socket = await connect(target, "websocket");
    const gone = once(socket, "disconnect");
    socket.disconnect();
    await gone;
    socket.volatile.emit("mark", "volatile while down");
    socket.connect();
    await once(socket, "connect");
    assert.deepEqual(await call(socket, "peek", "volatile while down"), [0]);
  });
});
