// The profile `api`: broadcasts with acknowledgements, sockets of any node, catch-all handlers, middlewares for
// events, the end of a socket, and namespaces that come to be.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MODES, call, connect, disconnected, manager, open, refusalOf, socketOf, take, waiting } from "../lib/client.mjs";
import { eventually } from "../lib/wait.mjs";
import { startTarget } from "../lib/target.mjs";

const target = await startTarget({ PROFILE: "api" });
let used = 0;

const sorted = (list) => [...list].sort();

for (const mode of MODES) {
  describe(mode, () => {
    const room = () => `room-${used++}`;
    const join = (name, count) =>
      Promise.all(Array.from({ length: count }, (_, i) => connect(target, mode, { auth: { room: name, name: i } })));

    test("a broadcast gathers the answers of a room", async () => {
      const name = room();
      const [asker, b, c] = await join(name, 3);
      const stranger = await connect(target, mode);
      [asker, b, c].forEach((socket, i) => socket.on("question", (text, ack) => ack({ text, i }, "surplus")));
      stranger.on("question", (_text, ack) => ack("nobody asked"));
      const [complete, replies] = await call(asker, "ask", name, 4_000);
      assert.equal(complete, true);
      assert.deepEqual(replies.sort((x, y) => x.i - y.i), [0, 1, 2].map((i) => ({ text: name, i })));
    });

    test("a broadcast to nobody is answered at once", async () => {
      assert.deepEqual(await call(await connect(target, mode), "ask", "nobody", 4_000), [true, []]);
    });

    test("the deadline of a broadcast brings the answers that there are", async () => {
      const name = room();
      const [asker, b] = await join(name, 3);
      b.on("question", (_text, ack) => ack(Buffer.from([1, 2])));
      assert.deepEqual(await call(asker, "ask", name, 1_000), [false, [Buffer.from([1, 2])]]);
    });

    test("sockets are fetched with their data, rooms and handshake", async () => {
      const name = room();
      const [a, b] = await join(name, 2);
      const [found] = await call(a, "describe", name);
      const expected = [a, b].map(({ id }, i) => ({
        id,
        data: { name: i },
        rooms: sorted([id, name]),
        auth: { room: name, name: i },
        xdomain: false,
      }));
      const byName = (x, y) => x.data.name - y.data.name;
      assert.deepEqual(found.map((one) => ({ ...one, rooms: sorted(one.rooms) })).sort(byName), expected);
      assert.deepEqual((await call(a, "describe", b.id))[0].map(({ id }) => id), [b.id]);
    });

    test("many sockets are moved, and their connections closed", async () => {
      const [from, to] = [room(), room()];
      const [a, b] = await join(from, 2);
      const observer = await connect(target, mode);
      await call(observer, "move", from, to);
      assert.deepEqual(await call(observer, "describe", from), [[]]);
      assert.deepEqual(sorted((await call(observer, "describe", to))[0].map(({ id }) => id)), sorted([a.id, b.id]));
      const gone = [a, b].map((socket) => disconnected(socket));
      observer.emit("close", to);
      for (const [reason] of await Promise.all(gone)) assert.equal(reason, "io server disconnect");
      await eventually(() => [a, b].every((socket) => socket.io.engine.readyState === "closed"), "closed connections");
    });

    test("catch-all handlers hear every event before its handlers, those put first before the others", async () => {
      const socket = await connect(target, mode);
      socket.emit("unknown");
      assert.deepEqual(await call(socket, "heard"), [["first unknown", "any unknown", "first heard", "any heard"]]);
    });

    test("outgoing handlers hear what is emitted to the socket, by broadcasts too, and no answers", async () => {
      const socket = await connect(target, mode);
      await call(socket, "many", "hello");
      const heard = async () => (await call(socket, "sent"))[0];
      await eventually(async () => (await heard()).length >= 2, "two events");
      assert.deepEqual(await heard(), ["hello", "hello"]);
      assert.equal(waiting(socket, "hello").length, 2);
    });

    test("a middleware for events keeps one from its handlers, and the socket stays", async () => {
      const socket = await connect(target, mode);
      let answered = false;
      socket.emit("forbidden", () => (answered = true));
      const [heard] = await call(socket, "heard");
      assert.deepEqual(heard.slice(0, 2), ["first forbidden", "any forbidden"]);
      assert.equal(answered, false);
    });

    test("who is disconnecting is still in its rooms", async () => {
      const name = room();
      const [a, b] = await join(name, 2);
      const id = a.id;
      a.disconnect();
      assert.deepEqual(await take(b, "left"), [id, "client namespace disconnect"]);
      assert.deepEqual((await call(b, "describe", name))[0].map(({ id }) => id), [b.id]);
    });

    test("what a middleware emits arrives, before what comes after it", async () => {
      const socket = await connect(target, mode, { namespace: "/early" });
      await eventually(() => socket.inbox.length === 2, "two events");
      assert.deepEqual(socket.inbox, [["early", 1], ["late", 2]]);
    });

    test("children share handlers and middlewares, and hear their parent", async () => {
      const name = room();
      const [one, two] = [
        await connect(target, mode, { namespace: `/kid-one_${used++}`, auth: { room: name } }),
        await connect(target, mode, { namespace: `/kid-two_${used++}` }),
      ];
      const shy = await refusalOf(socketOf(manager(target, mode), "/kid-shy"));
      assert.equal(shy.message, "shy");
      two.emit("shout", name, "to a room");
      two.emit("shout", null, ["to", "all"]);
      assert.deepEqual(await take(one, "shouted"), ["to a room"]);
      assert.deepEqual(await take(one, "shouted"), [["to", "all"]]);
      assert.deepEqual(await take(two, "shouted"), [["to", "all"]]);
      const [made] = await call(await connect(target, mode), "made");
      for (const { nsp } of [one, two]) assert.equal(made.filter((name) => name === nsp).length, 1);
    });

    test("a function that sees the auth lets namespaces come to be", async () => {
      const connection = manager(target, mode);
      const red = await open(socketOf(connection, "/team-red", { auth: { team: "red" } }));
      assert.ok(red.connected);
      const refused = await refusalOf(socketOf(connection, "/team-blue", { auth: { team: "red" } }));
      assert.equal(refused.message, "Invalid namespace");
      assert.ok(red.connected);
    });
  });
}
