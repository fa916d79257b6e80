// Connecting: ids, auth, namespaces, refusals.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MODES, call, connect, disconnected, manager, open, refusalOf, settle, socketOf, take, transportsOf } from "../lib/client.mjs";
import { startTarget } from "../lib/target.mjs";

const target = await startTarget({ PROFILE: "full", OWN_NAMESPACES: "10" });
const ID = /^[A-Za-z0-9_-]{20}$/;

for (const mode of MODES) {
  describe(mode, () => {
    test("a socket gets an id of its own and a welcome", async () => {
      const socket = await connect(target, mode);
      assert.match(socket.id, ID);
      assert.match(socket.io.engine.id, ID);
      assert.notEqual(socket.id, socket.io.engine.id);
      assert.deepEqual(await take(socket, "welcome"), [
        { sid: socket.id, auth: {}, ns: "/", transport: transportsOf(mode)[0], recovered: false },
      ]);
      assert.deepEqual(await call(socket, "transport"), [mode === "upgrade" ? "websocket" : mode]);
    });

    test("the connect payload arrives as auth", async () => {
      const auth = { token: "secret", list: [1, null, "ü"], nested: { deep: true } };
      const socket = await connect(target, mode, { namespace: "/auth", auth });
      const [welcome] = await take(socket, "welcome");
      assert.deepEqual(welcome.auth, auth);
      assert.equal(welcome.ns, "/auth");
    });

    test("query and headers of the handshake are there", async () => {
      const socket = await connect(target, mode, {
        query: { a: "1 2", "ключ": "значение", plus: "+&=" },
        extraHeaders: { "x-test": "yes" },
        auth: { me: 1 },
      });
      const [{ query, auth, x }] = await call(socket, "handshake");
      const { a, ключ, plus, EIO, transport } = query;
      assert.deepEqual({ a, ключ, plus, EIO, transport }, {
        a: "1 2",
        ключ: "значение",
        plus: "+&=",
        EIO: "4",
        transport: transportsOf(mode)[0],
      });
      assert.deepEqual(auth, { me: 1 });
      assert.equal(x, "yes");
    });

    test("a middleware's refusal carries message and data", async () => {
      const main = await refusalOf(socketOf(manager(target, mode, { query: { refuse: "1" } })));
      assert.equal(main.message, "refused");
      assert.deepEqual(main.data, { code: 7 });

      const auth = await refusalOf(socketOf(manager(target, mode), "/auth", { auth: { token: "wrong" } }));
      assert.equal(auth.message, "unauthorized");
      assert.deepEqual(auth.data, { code: 401, hint: "token" });
    });

    test("a refused socket may try again on the same connection", async () => {
      const connection = manager(target, mode);
      const main = await open(socketOf(connection));
      const socket = socketOf(connection, "/auth", { auth: { token: "wrong" } });
      await refusalOf(socket);
      assert.equal(socket.active, false);
      socket.auth = { token: "secret" };
      await open(socket);
      await settle(socket);
      await settle(main);
    });

    test("an unknown namespace is refused, the connection stays", async () => {
      const connection = manager(target, mode);
      const main = await open(socketOf(connection));
      const error = await refusalOf(socketOf(connection, "/nowhere"));
      assert.equal(error.message, "Invalid namespace");
      assert.equal(error.data, undefined);
      await settle(main);
    });

    test("a dynamic namespace takes the names of its pattern alone", async () => {
      const socket = await connect(target, mode, { namespace: "/dyn-42" });
      assert.equal((await take(socket, "welcome"))[0].ns, "/dyn-42");
      for (const name of ["/dyn-", "/dyn-x", "/dyn-4x", "/x/dyn-4", "/dyn-4/"]) {
        const error = await refusalOf(socketOf(manager(target, mode), name));
        assert.equal(error.message, "Invalid namespace", name);
      }
    });

    test("dynamic namespaces do not hear each other", async () => {
      const [one, two] = [await connect(target, mode, { namespace: "/dyn-1" }), await connect(target, mode, { namespace: "/dyn-2" })];
      await call(one, "join", "r");
      await call(two, "join", "r");
      one.emit("say", "r", "only one");
      assert.deepEqual(await take(one, "said"), ["only one"]);
      await settle(two);
      assert.deepEqual(two.inbox.filter(([name]) => name === "said"), []);
    });

    test("several namespaces share one connection", async () => {
      const connection = manager(target, mode);
      const sockets = await Promise.all(
        ["/", "/chat", "/lag", "/own-7"].map((name) => open(socketOf(connection, name))),
      );
      assert.equal(new Set(sockets.map((socket) => socket.id)).size, sockets.length);
      for (const socket of sockets) {
        assert.equal((await take(socket, "welcome"))[0].ns, socket.nsp);
        assert.deepEqual(await call(socket, "echo", socket.nsp), [socket.nsp]);
      }

      // One leaves: the others do not notice.
      const gone = disconnected(sockets[1]);
      sockets[1].disconnect();
      assert.equal((await gone)[0], "io client disconnect");
      for (const socket of [sockets[0], sockets[2], sockets[3]]) await settle(socket);

      // It comes back under a new id. (In between the server has seen it go: see `rejoin-in-one-go`.)
      const before = sockets[3].id;
      sockets[3].disconnect();
      await settle(sockets[0]);
      await open(sockets[3]);
      assert.notEqual(sockets[3].id, before);
    });

    test("leaving the last namespace and coming back opens a new session", async () => {
      const socket = await connect(target, mode);
      const before = socket.io.engine.id;
      socket.disconnect();
      await open(socket);
      await settle(socket);
      assert.notEqual(socket.io.engine.id, before);
    });

    test("the number of sockets follows connects and disconnects", async () => {
      const namespace = `/own-${MODES.indexOf(mode)}`;
      const first = await connect(target, mode, { namespace });
      const second = await connect(target, mode, { namespace });
      assert.deepEqual(await call(first, "count"), [2]);
      second.disconnect();
      // The disconnect travels on another connection, so the answer may still be two.
      for (;;) if ((await call(first, "count"))[0] === 1) break;
    });
  });
}

test("a namespace whose middleware takes its time connects late and holds nobody up", async () => {
  const connection = manager(target, "websocket");
  const order = [];
  const lag = socketOf(connection, "/lag");
  const main = socketOf(connection);
  lag.on("connect", () => order.push("lag"));
  main.on("connect", () => order.push("main"));
  await Promise.all([open(lag), open(main)]);
  assert.deepEqual(order, ["main", "lag"]);
});
