// The profiles that no other file drives: `client`, `chatter`, `ws-echo`; and the MessagePack parser.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as msgpack from "socket.io-msgpack-parser";
import { WebSocket } from "ws";
import { MODES, call, connect, disconnected, manager, refusalOf, settle, socketOf, take } from "../lib/client.mjs";
import { Engine } from "../lib/raw.mjs";
import { notYet, startTarget } from "../lib/target.mjs";
import { once } from "../lib/wait.mjs";

describe("client", notYet("recovery"), async () => {
  const target = await startTarget({ PROFILE: "client" });
  const greeting = () => ({ hello: "lol", message: Buffer.from("howdy"), goodbye: "gotcha" });

  // With recovery on, every event has the offset behind its arguments.
  const tell = async (socket, event, ...args) => (await take(socket, event, ...args)).slice(0, -1);

  test("simple answers", async () => {
    const socket = await connect(target, "websocket");
    socket.emit("hi");
    assert.deepEqual(await tell(socket, "hi"), []);
    assert.deepEqual(await call(socket, "echo", { a: 1 }), [{ a: 1 }]);
    assert.deepEqual(await call(socket, "getId"), [socket.id]);
    assert.match((await call(socket, "getAckDate", null))[0], /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    socket.emit("getDate");
    assert.match((await tell(socket, "takeDate"))[0], /^\d{4}-/);
    socket.emit("getDateObj");
    assert.match((await tell(socket, "takeDateObj"))[0].date, /^\d{4}-/);
    socket.emit("false");
    assert.deepEqual(await tell(socket, "false"), [false]);
    socket.emit("getUtf8");
    for (const text of ["てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string"]) {
      assert.deepEqual(await tell(socket, "takeUtf8"), [text]);
    }
  });

  test("the server asks with `ack`", async () => {
    const socket = await connect(target, "websocket");
    socket.once("ack", (answer) => answer(5, { test: true }));
    socket.emit("ack");
    await take(socket, "got it");
  });

  test("binary", async () => {
    const socket = await connect(target, "polling");
    for (const [event, answer] of [["doge", "doge"], ["getbin", "takebin"]]) {
      socket.emit(event);
      assert.deepEqual((await tell(socket, answer))[0], Buffer.from("asdfasdf"));
    }
    for (const [events, answer] of [
      [[["buffa", Buffer.from("x")]], "buffack"],
      [[["jsonbuff", greeting()]], "jsonbuff-ack"],
      [[["abuff1", Buffer.from("x")], ["abuff2", "second"]], "abuff2-ack"],
      [[["blob", Buffer.from("x")]], "back"],
      [[["jsonblob", greeting()]], "jsonblob-ack"],
      [[["blob1", Buffer.from("x")], ["blob2", "second"], ["blob3", Buffer.from("y")]], "blob3-ack"],
    ]) {
      events.forEach((event) => socket.emit(...event));
      await take(socket, answer);
    }
  });

  test("handshakes", async () => {
    const socket = await connect(target, "polling", { query: { a: "b c" }, auth: { t: 1 } });
    const [handshake] = await call(socket, "getHandshake");
    assert.equal(handshake.query.a, "b c");
    assert.deepEqual(handshake.auth, { t: 1 });
    assert.equal(handshake.xdomain, false);
    assert.equal(handshake.secure, false);
    assert.equal(typeof handshake.issued, "number");
    assert.equal(typeof handshake.time, "string");
    assert.match(handshake.url, /^\/socket\.io\/\?/);
    assert.match(handshake.address, /127\.0\.0\.1/);
    assert.ok(handshake.headers.host);
    const abc = await connect(target, "polling", { namespace: "/abc" });
    assert.equal((await take(abc, "handshake"))[0].secure, false);
    const foo = await connect(target, "websocket", { namespace: "/foo" });
    assert.deepEqual(await call(foo, "getId"), [foo.id]);
    for (const namespace of ["/timeout_socket", "/valid", "/asd"]) await connect(target, "websocket", { namespace });
  });

  test("refusals", async () => {
    const main = await refusalOf(socketOf(manager(target, "websocket", { query: { fail: "true" } })));
    assert.equal(main.message, "Auth failed (main namespace)");
    assert.equal(main.data, undefined);
    const custom = await refusalOf(socketOf(manager(target, "websocket"), "/no"));
    assert.equal(custom.message, "Auth failed (custom namespace)");
  });
});

// By hand: socket.io-client refuses the greeting that has no name.
test("chatter: greetings in order, answers, close_transport", async () => {
  const target = await startTarget({ PROFILE: "chatter" });
  for (const namespace of ["", "/admin,"]) {
    const engine = new Engine(target);
    const wire = await engine.websocket();
    const hear = async (...frames) => {
      for (const frame of frames) assert.equal(await wire.frame(), frame);
    };
    wire.text(`40${namespace}`);
    assert.ok((await wire.frame()).startsWith(`40${namespace}{"sid":`));
    await hear(`42${namespace}["Hello from the message event!"]`, `42${namespace}["test","Hello from the test event!"]`);
    // The packet without a name is there where the library can send one.
    let header = await wire.frame();
    if (header === `451-${namespace}[{"_placeholder":true,"num":0}]`) {
      await hear("<040506>");
      header = await wire.frame();
    }
    assert.equal(header, `451-${namespace}["test",{"_placeholder":true,"num":0}]`);
    await hear(
      "<010203>",
      `42${namespace}["This is the first argument","This is the second argument",{"argCount":3}]`,
      `42${namespace}["on_abc_event","",{"abc":0,"some_other":"value"}]`,
    );
    wire.text(`42${namespace}7["test","v"]`);
    await hear(`42${namespace}["test-received","v"]`, `43${namespace}7["woot"]`);
    wire.text(`42${namespace}["message",[1]]`);
    await hear(`42${namespace}["message-received",[1]]`);
    wire.text(`451-${namespace}8["binary",{"_placeholder":true,"num":0}]`).binary([9]);
    await hear(`451-${namespace}["binary-received",{"_placeholder":true,"num":0}]`, "<09>");
    await hear(`461-${namespace}8[{"_placeholder":true,"num":0}]`, "<010203>");
    wire.text(`42${namespace}["close_transport"]`);
    assert.deepEqual(await wire.frames(), ["close:1005", "end"]);
  }
});

for (const mode of MODES) {
  describe(`chatter, ${mode}`, async () => {
    test("CHATTER_AUTH", async () => {
      const target = await startTarget({ PROFILE: "chatter", CHATTER_AUTH: "1" });
      for (const [password, verdict] of [["123", "success"], ["124", "failed"]]) {
        const socket = await connect(target, mode, { auth: { password } });
        assert.deepEqual(await take(socket, "auth"), [verdict]);
        assert.deepEqual(socket.inbox, []);
      }
    });

    test("CHATTER_TIMESTAMP", async () => {
      const target = await startTarget({ PROFILE: "chatter", CHATTER_TIMESTAMP: "1" });
      const good = await connect(target, mode, { query: { timestamp: Date.now() } });
      assert.deepEqual(await take(good, "message"), ["test"]);
      const stale = socketOf(manager(target, mode, { query: { timestamp: Date.now() - 5_000 } }));
      const gone = disconnected(stale);
      stale.connect();
      assert.equal((await gone)[0], "io server disconnect");
    });

    test("CHATTER_RESTART", notYet("chatter-restart"), async () => {
      const target = await startTarget({ PROFILE: "chatter", CHATTER_RESTART: "100" });
      const options = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 50 };
      const socket = await connect(target, mode, { ...options, extraHeaders: { message_back: "hello" } });
      assert.deepEqual(await take(socket, "message"), ["hello"]);
      const back = disconnected(socket).then(() => once(socket, "connect"));
      socket.emit("restart_server");
      await back;
      assert.deepEqual(await take(socket, "message"), ["hello"]);
    });
  });

  describe(`MessagePack, ${mode}`, async () => {
    test("events, binary and acknowledgements", async () => {
      const target = await startTarget({ PROFILE: "full", PARSER: "msgpack" });
      const socket = await connect(target, mode, { parser: msgpack.default ?? msgpack, auth: { a: [1] } });
      assert.deepEqual((await take(socket, "welcome"))[0].auth, { a: [1] });
      const args = [1, -1, 1.5, 2 ** 40, "ü", null, true, [], {}, { deep: [Buffer.from([1, 2])] }];
      socket.emit("echo", ...args);
      assert.deepEqual(await take(socket, "echo"), args);
      assert.deepEqual(await call(socket, "echo", ...args), args);
      socket.on("request", (value, ack) => ack(value, Buffer.from([7])));
      socket.emit("request", "q");
      assert.deepEqual(await take(socket, "reply"), ["q", Buffer.from([7])]);
      await settle(socket);
    });
  });
}

test("ws-echo", async () => {
  const target = await startTarget({ PROFILE: "ws-echo" });
  const socket = new WebSocket(`ws://127.0.0.1:${target.port}/`);
  await once(socket, "open");
  for (const message of ["", "text", "x".repeat(2_000_000), Buffer.alloc(3_000_000, 5)]) {
    const back = once(socket, "message");
    socket.send(message);
    const [data, isBinary] = await back;
    assert.equal(isBinary, typeof message !== "string");
    assert.ok(data.equals(Buffer.from(message)));
  }
  const pong = once(socket, "pong");
  socket.ping("p");
  assert.equal((await pong)[0].toString(), "p");
  socket.close();
  await once(socket, "close");
});
