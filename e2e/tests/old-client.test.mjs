// The official client of version 2: Engine.IO 3 and the older Socket.IO over it.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import io from "socket.io-client-2";
import { MODES, connect as connectNew, take, transportsOf } from "../lib/client.mjs";
import { differs, startTarget } from "../lib/target.mjs";
import { eventually, once, within } from "../lib/wait.mjs";

const target = await startTarget({ PROFILE: "full", ALLOW_EIO3: "1", OWN_NAMESPACES: "3" });

const sockets = new Set();
after(() => sockets.forEach((socket) => socket.io._close?.() ?? socket.io.close()));

/** A socket that is connecting, on a connection of its own. */
function socketOf(mode, { namespace = "/", server = target, ...options } = {}) {
  const socket = io(`${server.url}${namespace}`, {
    path: server.path,
    transports: transportsOf(mode),
    forceNew: true,
    reconnection: false,
    ...options,
  });
  sockets.add(socket);
  return socket;
}

/** A connected socket, and what the server welcomed it with. */
async function connect(mode, options) {
  const socket = socketOf(mode, options);
  const upgraded = mode === "upgrade" && once(socket.io.engine, "upgrade");
  const welcome = once(socket, "welcome");
  await once(socket, "connect");
  await upgraded;
  socket.welcome = (await welcome)[0];
  return socket;
}

/** Emits with an acknowledgement and gives all of its arguments. */
const call = (socket, event, ...args) =>
  within(new Promise((resolve) => socket.emit(event, ...args, (...reply) => resolve(reply))), `answer to "${event}"`);

for (const mode of MODES) {
  describe(mode, () => {
    test("the server joins the main namespace by itself, and both ends know the same id", async () => {
      const socket = await connect(mode, { query: { me: "ü&1" } });
      assert.equal(socket.id, socket.io.engine.id);
      assert.equal(socket.welcome.sid, socket.id);
      assert.equal(socket.welcome.ns, "/");
      assert.equal(socket.welcome.auth.me, "ü&1");
      const [{ query, auth }] = await call(socket, "handshake");
      assert.deepEqual([query.EIO, query.me, auth], ["3", "ü&1", {}]);
      assert.deepEqual(await call(socket, "transport"), [mode === "polling" ? "polling" : "websocket"]);
    });

    test("events and acknowledgements go both ways", async () => {
      const socket = await connect(mode);
      const args = ["€ 😀 \u2028", 1.5, null, { nested: [true, { deep: "ключ" }] }];
      assert.deepEqual(await call(socket, "echo", ...args), args);
      const echoed = once(socket, "echo");
      socket.emit("echo", ...args);
      assert.deepEqual(await echoed, args);
      socket.once("request", (value, answer) => answer(value, "answered"));
      const reply = once(socket, "reply");
      socket.emit("request", "😀");
      assert.deepEqual(await reply, ["😀", "answered"]);
    });

    test("binary goes both ways", async () => {
      const socket = await connect(mode);
      const bytes = Buffer.from([0, 4, 255, 30, 58]);
      assert.deepEqual(await call(socket, "bin-size", bytes), [5]);
      assert.deepEqual(await call(socket, "bin-size", Buffer.alloc(0)), [0]);
      const [text, [echoed], object] = await call(socket, "echo", "€", [bytes], { deep: { bytes } });
      assert.deepEqual([text, Buffer.from(echoed), Buffer.from(object.deep.bytes)], ["€", bytes, bytes]);
      const sent = once(socket, "bin");
      socket.emit("bin", 1000);
      const [large, { nested }] = await sent;
      assert.deepEqual(Buffer.from(large), Buffer.from(Uint8Array.from({ length: 1000 }, (_, i) => i % 256)));
      assert.deepEqual([Buffer.from(nested[0]), nested[1]], [Buffer.from([0, 1]), "t"]);
    });

    test("a burst arrives in order", async () => {
      const socket = socketOf(mode);
      const ticks = [];
      const done = new Promise((resolve) => {
        socket.on("tick", (number) => ticks.push(number) === 500 && resolve());
      });
      // On its way while the transport changes.
      socket.emit("burst", 500);
      await within(done, "500 ticks");
      assert.deepEqual(ticks, Array.from({ length: 500 }, (_, i) => i));
    });

    test("several namespaces share a connection", async () => {
      const main = await connect(mode);
      const chat = main.io.socket("/chat");
      const welcomed = once(chat, "welcome");
      const [welcome] = await welcomed;
      assert.equal(welcome.ns, "/chat");
      assert.equal(chat.id, `/chat#${main.io.engine.id}`);
      const ofServer = differs("old-ids-in-namespaces", { reference: chat.id, sockeye: undefined });
      if (ofServer) assert.equal(welcome.sid, ofServer);
      else assert.match(welcome.sid, /^[A-Za-z0-9_-]{20}$/);
      assert.deepEqual(await call(chat, "echo", 1), [1]);
      const gone = once(chat, "disconnect");
      chat.emit("kick");
      assert.deepEqual(await gone, ["io server disconnect"]);
      assert.deepEqual(await call(main, "echo", 2), [2]);
    });

    test("the query of a namespace is its auth", async () => {
      const socket = await connect(mode, { namespace: "/auth?token=secret&word=a%20b" });
      assert.equal(socket.welcome.ns, "/auth");
      assert.deepEqual(socket.welcome.auth, { token: "secret", word: "a b" });
      const dynamic = await connect(mode, { namespace: "/dyn-7?x=1" });
      assert.deepEqual([dynamic.welcome.ns, dynamic.welcome.auth], ["/dyn-7", { x: "1" }]);
    });

    test("a refusal is an error with the data alone", async () => {
      const refused = once(socketOf(mode, { query: { refuse: "1" } }), "error");
      assert.deepEqual(await refused, [{ code: 7 }]);
      const unauthorized = once(socketOf(mode, { namespace: "/auth?token=wrong" }), "error");
      assert.deepEqual(await unauthorized, [{ code: 401, hint: "token" }]);
      const unknown = once(socketOf(mode, { namespace: "/nope" }), "error");
      assert.deepEqual(await unknown, [{ message: "Invalid namespace" }]);
    });

    test("old and new clients hear the same broadcast", async () => {
      const namespace = `/own-${MODES.indexOf(mode)}`;
      const old = await connect(mode, { namespace });
      const fresh = await connectNew(target, mode, { namespace });
      await call(old, "join", "r");
      fresh.emit("join", "r");
      await eventually(async () => (await call(old, "rooms-of"))[0].includes("r"), "the room");
      const heard = once(old, "said");
      await new Promise((resolve) => fresh.emit("echo", "settle", resolve));
      old.emit("say", "r", "€", Buffer.from([1, 2]));
      const [text, bytes] = await heard;
      assert.deepEqual([text, Buffer.from(bytes)], ["€", Buffer.from([1, 2])]);
      const [freshText, freshBytes] = await take(fresh, "said");
      assert.deepEqual([freshText, Buffer.from(freshBytes)], ["€", Buffer.from([1, 2])]);
    });

    test("a socket's id in the main namespace is a room", async () => {
      const [one, other] = [await connect(mode), await connect(mode)];
      const heard = once(other, "said");
      one.emit("say", other.id, "psst");
      assert.deepEqual(await heard, ["psst"]);
    });

    test("both ends can leave", async () => {
      const kicked = await connect(mode);
      const reason = once(kicked, "disconnect");
      kicked.emit("kick-all");
      assert.deepEqual(await reason, ["io server disconnect"]);

      const dropped = await connect(mode);
      const dropReason = once(dropped, "disconnect");
      dropped.emit("drop");
      assert.deepEqual(await dropReason, ["transport close"]);

      const own = await startTarget({ PROFILE: "full", ALLOW_EIO3: "1" });
      const leaving = await connect(mode, { server: own });
      assert.equal((await own.counts()).sockets, 1);
      leaving.disconnect();
      await eventually(async () => (await own.counts()).sessions === 0, "the session's end");
    });
  });
}

test("the client's pings are answered, and a session outlives many of them", async () => {
  const own = await startTarget({ PROFILE: "full", ALLOW_EIO3: "1", PING_INTERVAL: "50", PING_TIMEOUT: "1000" });
  for (const mode of ["polling", "websocket"]) {
    const socket = await connect(mode, { server: own });
    let pongs = 0;
    socket.on("pong", () => (pongs += 1));
    await eventually(() => pongs >= 40, "40 pongs", 10_000);
    assert.deepEqual(await call(socket, "echo", 1), [1]);
  }
});

test("a client of version 2 is refused where it is not allowed", async () => {
  const own = await startTarget({ PROFILE: "full" });
  const answer = await fetch(`${own.url}${own.path}?EIO=3&transport=polling`);
  assert.equal(answer.status, 400);
  assert.deepEqual(await answer.json(), { code: 5, message: "Unsupported protocol version" });
  for (const mode of MODES) {
    const [error] = await once(socketOf(mode, { server: own }), "connect_error");
    assert.ok(error instanceof Error, mode);
  }
});
