// Rooms of the `full` profile, and every row of the `rooms` profile with three clients.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MODES, call, connect, disconnected, settle, take, waiting } from "../lib/client.mjs";
import { eventually, within } from "../lib/wait.mjs";
import { startTarget } from "../lib/target.mjs";

const full = await startTarget({ PROFILE: "full", OWN_NAMESPACES: "100" });
let used = 0;
const rooms = await startTarget({ PROFILE: "rooms", ACK_TIMEOUT: "300" });

const sorted = (list) => [...list].sort();

for (const mode of MODES) {
  describe(`full, ${mode}`, () => {
    const trio = async () => {
      const namespace = `/own-${used++}`;
      return Promise.all([1, 2, 3].map(() => connect(full, mode, { namespace })));
    };
    const said = async (...sockets) => {
      const heard = [];
      for (const socket of sockets) {
        await settle(socket);
        heard.push(waiting(socket, "said"));
        socket.inbox.length = 0;
      }
      return heard;
    };

    test("a socket is in the room of its id, and in those it joined", async () => {
      const [a] = await trio();
      assert.deepEqual(await call(a, "rooms-of"), [[a.id]]);
      assert.deepEqual(await call(a, "join", "one"), [true]);
      await call(a, "join", "two");
      await call(a, "join", "two");
      assert.deepEqual(sorted((await call(a, "rooms-of"))[0]), sorted([a.id, "one", "two"]));
      assert.deepEqual(await call(a, "leave", "one"), [true]);
      assert.deepEqual(await call(a, "leave", "never joined"), [true]);
      assert.deepEqual(sorted((await call(a, "rooms-of"))[0]), sorted([a.id, "two"]));
    });

    test("say reaches the members alone, the asker included", async () => {
      const [a, b, c] = await trio();
      await call(a, "join", "r");
      await call(b, "join", "r");
      await settle(c);
      a.emit("say", "r", "hello", { n: 1 }, Buffer.from([1, 2]));
      await settle(a);
      assert.deepEqual(await said(a, b, c), [
        [["hello", { n: 1 }, Buffer.from([1, 2])]],
        [["hello", { n: 1 }, Buffer.from([1, 2])]],
        [],
      ]);
      await call(b, "leave", "r");
      a.emit("say", "r", "again");
      await settle(a);
      assert.deepEqual(await said(a, b, c), [[["again"]], [], []]);
    });

    test("the room of an id is that one socket", async () => {
      const [a, b, c] = await trio();
      a.emit("say", b.id, "for you");
      await settle(a);
      assert.deepEqual(await said(a, b, c), [[], [["for you"]], []]);
    });

    test("except leaves the room out", async () => {
      const [a, b, c] = await trio();
      await call(b, "join", "quiet");
      a.emit("except", "quiet", "loud");
      await settle(a);
      assert.deepEqual(await said(a, b, c), [[["loud"]], [], [["loud"]]]);
    });

    test("a socket in several of the rooms gets one copy", async () => {
      const [a, b, c] = await trio();
      for (const room of ["x", "y", "z"]) await call(a, "join", room);
      await call(b, "join", "y");
      a.emit("say-rooms", ["x", "y", "z", "x"], "once", Buffer.from([5]));
      await settle(a);
      assert.deepEqual(await said(a, b, c), [[["once", Buffer.from([5])]], [["once", Buffer.from([5])]], []]);
    });

    test("an empty room is no error", async () => {
      const [a] = await trio();
      a.emit("say", "nobody", "x");
      a.emit("say-rooms", ["nobody", "either"], "x");
      assert.deepEqual(await said(a), [[]]);
    });

    test("say-later speaks even when the asker is gone", async () => {
      const [a, b] = await trio();
      await call(b, "join", "later");
      a.emit("say-later", 50, "later", "still here");
      await settle(a);
      a.disconnect();
      assert.deepEqual(await take(b, "said"), ["still here"]);
    });

    test("a namespace's room is not another namespace's room", async () => {
      const [a] = await trio();
      const [b] = await trio();
      await call(a, "join", "same name");
      await call(b, "join", "same name");
      a.emit("say", "same name", "mine");
      await settle(a);
      assert.deepEqual(await said(a, b), [[["mine"]], []]);
    });

    test("a socket that left the namespace has left its rooms", async () => {
      const [a, b] = await trio();
      await call(b, "join", "r");
      const gone = disconnected(b);
      b.emit("kick");
      await gone;
      b.connect();
      await within(new Promise((resolve) => b.once("connect", resolve)), "connect");
      assert.deepEqual(await call(b, "rooms-of"), [[b.id]]);
      a.emit("say", "r", "anyone?");
      await settle(a);
      assert.deepEqual(await said(b), [[]]);
    });
  });

  describe(`rooms, ${mode}`, () => {
    const ALL = ["room1", "room2", "room4", "room5"];

    // Three clients, and nobody else on this server.
    async function three(t) {
      const sockets = await Promise.all([1, 2, 3].map(() => connect(rooms, mode)));
      t.after(async () => {
        sockets.forEach((socket) => socket.disconnect());
        await eventually(async () => (await rooms.counts()).sockets === 0, "all gone");
      });
      return sockets;
    }
    const helloOf = (socket) => `hello from ${socket.id}`;
    const roomsOf = async (asker, socket) => sorted((await call(asker, "get_rooms_remote_sock", socket.id))[0]);

    test("broadcast", async (t) => {
      const [a, b, c] = await three(t);
      a.emit("broadcast");
      for (const socket of [a, b, c]) assert.deepEqual(await take(socket, "broadcast"), [helloOf(a)]);
    });

    test("volatile_broadcast", async (t) => {
      const [a, b, c] = await three(t);
      // A volatile event is for those who can take it now, so ask until everybody could.
      const heard = new Set();
      for (const socket of [a, b, c]) {
        socket.on("volatile_broadcast", (text) => text === helloOf(a) && heard.add(socket));
      }
      const asking = setInterval(() => a.emit("volatile_broadcast"), 50);
      await eventually(() => heard.size === 3, "everybody heard").finally(() => clearInterval(asking));
    });

    test("broadcast_with_ack gathers all answers", async (t) => {
      const [a, b, c] = await three(t);
      [a, b, c].forEach((socket, i) => socket.on("broadcast_with_ack", (value, ack) => ack({ value, i })));
      const [answers] = await call(a, "broadcast_with_ack");
      assert.deepEqual(answers.sort((x, y) => x.i - y.i), [0, 1, 2].map((i) => ({ value: null, i })));
    });

    test("disconnect_socket", async (t) => {
      const sockets = await three(t);
      const gone = sockets.map((socket) => disconnected(socket));
      sockets[0].emit("disconnect_socket");
      for (const [reason] of await Promise.all(gone)) assert.equal(reason, "io server disconnect");
    });

    test("rooms", async (t) => {
      const [a, b, c] = await three(t);
      assert.deepEqual(sorted((await call(a, "rooms"))[0]), sorted([...ALL, a.id, b.id, c.id]));
    });

    test("fetch_sockets", async (t) => {
      const [a, b, c] = await three(t);
      const [found] = await call(a, "fetch_sockets");
      assert.deepEqual(sorted(found.map(({ id }) => id)), sorted([a.id, b.id, c.id]));
      assert.ok(found.every(({ ns }) => ns === "/"));
    });

    test("join_room and leave_room", async (t) => {
      const [a, b, c] = await three(t);
      assert.deepEqual(await call(a, "join_room"), []);
      assert.deepEqual(await call(a, "leave_room"), []);
      for (const socket of [a, b, c]) {
        assert.deepEqual(await roomsOf(a, socket), sorted([socket.id, "room1", "room2", "room5", "room7"]));
      }
      assert.deepEqual(sorted((await call(a, "rooms"))[0]), sorted(["room1", "room2", "room5", "room7", a.id, b.id, c.id]));
    });

    test("emit_from_remote_sock", async (t) => {
      const [a, b, c] = await three(t);
      assert.deepEqual(await call(a, "emit_from_remote_sock", b.id), []);
      assert.deepEqual(await take(b, "emit"), [helloOf(a)]);
      // Whoever was asked last has seen all that was sent before.
      await call(c, "fetch_sockets");
      await call(a, "fetch_sockets");
      assert.deepEqual([...waiting(a, "emit"), ...waiting(c, "emit")], []);
    });

    test("emit_with_ack_from_remote_sock", async (t) => {
      const [a, b] = await three(t);
      b.on("emit", (text, ack) => ack({ heard: text }));
      assert.deepEqual(await call(a, "emit_with_ack_from_remote_sock", b.id), [{ heard: helloOf(a) }]);
    });

    test("join_room_from_remote_sock, leave_room_from_remote_sock, get_rooms_remote_sock", async (t) => {
      const [a, b, c] = await three(t);
      assert.deepEqual(await call(a, "join_room_from_remote_sock", b.id), []);
      assert.deepEqual(await call(a, "leave_room_from_remote_sock", b.id), []);
      assert.deepEqual(await roomsOf(a, b), sorted([b.id, "room1", "room2", "room5", helloOf(a)]));
      assert.deepEqual(await roomsOf(a, c), sorted([c.id, ...ALL]));
    });

    test("disconnect_remote_sock", async (t) => {
      const [a, b, c] = await three(t);
      const gone = disconnected(b);
      assert.deepEqual(await call(a, "disconnect_remote_sock", b.id), []);
      assert.equal((await gone)[0], "io server disconnect");
      const [found] = await call(c, "fetch_sockets");
      assert.deepEqual(sorted(found.map(({ id }) => id)), sorted([a.id, c.id]));
    });
  });
}
