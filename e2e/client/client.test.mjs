// Sockeye's client against servers that others wrote, and against our own.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { freePort } from "../lib/target.mjs";
import { eventually, pause } from "../lib/wait.mjs";
import { Driver, bin } from "./driver.mjs";
import { PEERS, startPeer } from "./peers.mjs";

const WAYS = {
  polling: { transports: ["polling"] },
  websocket: { transports: ["websocket"] },
  upgrade: { transports: ["polling", "websocket"] },
};

for (const [peer, { recovers, packs, isPython, isOld, opts: own = {} }] of Object.entries(PEERS)) {
  describe(peer, () => {
    for (const [way, wayOpts] of Object.entries(WAYS)) {
      const opts = { ...own, ...wayOpts };
      test(`${way}: events, acknowledgements and binary both ways`, async (t) => {
        const server = await startPeer(t, peer);
        const client = await Driver.start(t);
        const { sid, transport, recovered } = await client.connect("a", server, opts);
        assert.ok(opts.transports.includes(transport));
        assert.equal(recovered, false);
        const [welcome] = await client.event("a", "welcome");
        assert.equal(welcome.sid, sid);
        if (!isOld) assert.deepEqual(welcome.auth, {});
        if (way === "upgrade") {
          await client.next("upgrade", { id: "a", transport: "websocket" });
          await eventually(async () => (await client.ask("a", "transport"))?.[0] === "websocket", "the upgrade");
        }

        const args = [1, "é␞\u001e€😀", null, true, [1, [2]], { a: { b: bin(0, 1, 255) } }, bin()];
        client.emit("a", "echo", ...args);
        assert.deepEqual(await client.event("a", "echo"), args);
        assert.deepEqual(await client.ask("a", "echo", ...args), args);
        assert.deepEqual(await client.ask("a", "bin-size", bin(...Array(1000).keys())), [1000]);

        client.emit("a", "bin", 4);
        assert.deepEqual(await client.event("a", "bin"), [bin(0, 1, 2, 3), { nested: [bin(0, 1), "t"] }]);

        client.send({ op: "reply", id: "a", event: "request", args: ["yes", bin(7)] });
        client.emit("a", "request", "ready?", bin(9));
        const request = await client.next("event", { id: "a", event: "request" });
        assert.deepEqual(request.args, ["ready?", bin(9)]);
        assert.equal(request.ack, true);
        assert.deepEqual(await client.event("a", "reply"), ["yes", bin(7)]);
      });
    }

    test("auth, headers and query arrive, and a refusal comes with its data", async (t) => {
      const server = await startPeer(t, peer);
      const client = await Driver.start(t);
      const auth = { token: "secret", more: isOld ? "[1]" : [1] };
      await client.connect("a", server, { ...own, namespace: "/auth", auth, query: { q: "x" }, headers: { "x-test": "y" } });
      const [welcome] = await client.event("a", "welcome");
      if (!isOld) assert.deepEqual(welcome.auth, auth);
      const [handshake] = await client.ask("a", "handshake");
      assert.equal(handshake.x, "y");
      assert.equal(handshake.query.q, "x");

      client.send({ op: "namespace", id: "b", on: "a", ns: "/auth-not" });
      const unknown = await client.next("connect_error", { id: "b" });
      if (!isPython) assert.equal(unknown.message, "Invalid namespace");

      client.open("c", server, { ...own, namespace: "/auth", auth: { token: "wrong" } });
      const { message, data } = await client.next("connect_error", { id: "c" });
      if (!isOld) assert.equal(message, "unauthorized");
      assert.deepEqual(data, { code: 401, hint: "token" });
      const state = await client.state("c");
      assert.equal(state.active, false);
      assert.equal(state.connected, false);
      assert.ok(!client.has("reconnect_attempt", { id: "c" }));

      client.open("d", server, { ...own, query: { refuse: "1" } });
      const refused = await client.next("connect_error", { id: "d" });
      assert.deepEqual([refused.message, refused.data], ["refused", { code: 7 }]);
    });

    test("namespaces share a connection, and one that leaves leaves the others alone", async (t) => {
      const server = await startPeer(t, peer);
      const client = await Driver.start(t);
      const { sid } = await client.connect("a", server, own);
      client.send({ op: "namespace", id: "b", on: "a", ns: "/chat" });
      client.send({ op: "namespace", id: "c", on: "a", ns: "/lag" });
      const other = await client.next("connect", { id: "b" });
      assert.notEqual(other.sid, sid);
      await client.next("connect", { id: "c" });
      assert.deepEqual(await client.ask("b", "echo", 1), [1]);
      client.send({ op: "disconnect", id: "a" });
      assert.equal((await client.next("disconnect", { id: "a" })).reason, "io client disconnect");
      assert.deepEqual(await client.ask("b", "echo", 2), [2]);
      client.emit("b", "kick");
      assert.equal((await client.next("disconnect", { id: "b" })).reason, "io server disconnect");
      assert.deepEqual(await client.ask("c", "echo", 3), [3]);
    });

    test("either end disconnects, and the client may return", async (t) => {
      const server = await startPeer(t, peer);
      const client = await Driver.start(t);
      await client.connect("a", server, own);
      client.emit("a", "kick");
      assert.equal((await client.next("disconnect", { id: "a" })).reason, "io server disconnect");
      assert.equal((await client.state("a")).active, false);
      client.emit("a", "echo", "kept");
      client.send({ op: "connect", id: "a" });
      await client.next("connect", { id: "a" });
      assert.deepEqual(await client.event("a", "echo"), ["kept"]);
      client.send({ op: "disconnect", id: "a" });
      assert.equal((await client.next("disconnect", { id: "a" })).reason, "io client disconnect");
      client.send({ op: "connect", id: "a" });
      await client.next("connect", { id: "a" });
      assert.ok(!client.has("reconnect_attempt"));
    });

    for (const [way, wayOpts] of Object.entries(WAYS)) {
      const opts = { ...own, ...wayOpts };
      test(`${way}: a lost connection is made again`, async (t) => {
        const server = await startPeer(t, peer);
        const client = await Driver.start(t);
        await client.connect("a", server, opts);
        if (way === "upgrade") await client.next("upgrade", { id: "a" });
        client.emit("a", "drop");
        const { reason } = await client.next("disconnect", { id: "a" });
        assert.ok(["transport close", "transport error"].includes(reason), reason);
        await client.next("reconnect", { id: "a", attempt: 1 });
        await client.next("connect", { id: "a" });
        client.send({ op: "drop", id: "a" });
        await client.next("disconnect", { id: "a", reason: "forced close" });
        await client.next("connect", { id: "a" });
        assert.deepEqual(await client.ask("a", "echo", 1), [1]);
      });

      test(`${way}: a server that is killed and comes back gets what was kept, in order`, async (t) => {
        const server = await startPeer(t, peer);
        const client = await Driver.start(t);
        await client.connect("a", server, opts);
        if (way === "upgrade") await client.next("upgrade", { id: "a" });
        await server.kill();
        await client.next("disconnect", { id: "a" });
        for (let n = 0; n < 20; n++) client.emit("a", "echo", n, bin(n));
        client.send({ op: "emit", id: "a", event: "echo", args: ["volatile"], volatile: true });
        const ack = client.request("a", { event: "echo", args: ["asked"], timeout: 20_000 });
        await client.next("reconnect_error", { id: "a" });
        await server.start();
        await client.next("connect", { id: "a" });
        for (let n = 0; n < 20; n++) assert.deepEqual(await client.event("a", "echo"), [n, bin(n)]);
        assert.deepEqual(await client.answer(ack), ["asked"]);
      });
    }

    test("500 events keep their order both ways over the upgrade", async (t) => {
      const server = await startPeer(t, peer);
      const client = await Driver.start(t);
      client.open("a", server, own);
      client.emit("a", "burst", 500);
      for (let n = 0; n < 500; n++) client.emit("a", "echo", n);
      for (let n = 0; n < 500; n++) assert.deepEqual(await client.event("a", "tick"), [n]);
      for (let n = 0; n < 500; n++) assert.deepEqual(await client.event("a", "echo"), [n]);
      await client.next("upgrade", { id: "a" });
    });

    test("acknowledgements time out, come late, or are lost with the connection", async (t) => {
      const server = await startPeer(t, peer);
      const client = await Driver.start(t);
      await client.connect("a", server, own);
      const late = client.request("a", { event: "slow", args: [300, "late"], timeout: 50 });
      assert.equal(await client.answer(late), null);
      assert.deepEqual(await client.ask("a", "slow", 400, "in time"), ["in time"]);
      assert.ok(!client.has("ack", { ack: late }));
      const lost = client.request("a", { event: "slow", args: [5_000, "lost"], timeout: 30_000 });
      client.send({ op: "drop", id: "a" });
      assert.equal(await client.answer(lost), null);
    });

    test("with retries an event is sent again until it is acknowledged, in order", async (t) => {
      if (isPython) return t.skip("it acknowledges whatever it handles");
      const server = await startPeer(t, peer);
      const client = await Driver.start(t);
      await client.connect("a", server, { ...own, retries: 5, ackTimeout: 200 });
      const first = client.request("a", { event: "mark-ack-on", args: ["k", 3], timeout: undefined });
      const second = client.request("a", { event: "echo", args: ["then"], timeout: undefined });
      assert.deepEqual(await client.answer(first), [3]);
      assert.deepEqual(await client.answer(second), ["then"]);
      const never = client.request("a", { event: "noack", timeout: undefined });
      assert.equal(await client.answer(never), null);
      const [marks] = await client.answer(client.request("a", { event: "peek", args: ["k"] }));
      assert.ok(marks >= 3, `${marks} marks`);
    });

    test("a payload over the server's limit breaks the connection, and it is made again", async (t) => {
      const server = await startPeer(t, peer, { MAX_PAYLOAD: "1000" });
      for (const transports of [["polling"], ["websocket"]]) {
        const client = await Driver.start(t);
        await client.connect("a", server, { ...own, transports });
        client.emit("a", "echo", "x".repeat(5_000));
        await client.next("disconnect", { id: "a" });
        await client.next("connect", { id: "a" });
        assert.deepEqual(await client.ask("a", "echo", "x"), ["x"]);
        await client.exit();
      }
    });

    test("heartbeats are kept, and a server that is silent is given up", async (t) => {
      const server = await startPeer(t, peer, { PING_INTERVAL: "400", PING_TIMEOUT: "2000" });
      const client = await Driver.start(t);
      await client.connect("a", server, { ...own, timeout: 1_000 });
      await pause(2_500);
      assert.ok(!client.has("disconnect"));
      process.kill(server.pid, "SIGSTOP");
      assert.equal((await client.next("disconnect", { id: "a" })).reason, "ping timeout");
      process.kill(server.pid, "SIGCONT");
      await client.next("connect", { id: "a" });
    });

    if (packs) {
      test("MessagePack says what JSON says", async (t) => {
        const server = await startPeer(t, peer, { PARSER: "msgpack" });
        const client = await Driver.start(t);
        const auth = { token: "secret" };
        await client.connect("a", server, { parser: "msgpack", namespace: "/auth", auth });
        assert.deepEqual((await client.event("a", "welcome"))[0].auth, auth);
        const args = [1, -2.5, "é€😀", null, true, [1, [2]], { a: { b: bin(0, 1, 255) } }, bin()];
        assert.deepEqual(await client.ask("a", "echo", ...args), args);
        client.emit("a", "echo", ...args);
        assert.deepEqual(await client.event("a", "echo"), args);
        client.send({ op: "reply", id: "a", event: "request", args: ["yes", bin(7)] });
        client.emit("a", "request", bin(9));
        assert.deepEqual(await client.event("a", "reply"), ["yes", bin(7)]);
        client.send({ op: "namespace", id: "b", on: "a", ns: "/nowhere" });
        assert.equal((await client.next("connect_error", { id: "b" })).message, "Invalid namespace");
        client.emit("a", "kick");
        await client.next("disconnect", { id: "a", reason: "io server disconnect" });
      });
    }

    test("recovery brings what was missed", { skip: recovers ? false : "this server does not recover" }, async (t) => {
      const server = await startPeer(t, peer, { RECOVERY: "60000" });
      const client = await Driver.start(t);
      const { sid } = await client.connect("a", server, { ...own, reconnectionDelay: 400, reconnectionDelayMax: 400 });
      await client.ask("a", "join", "room");
      client.emit("a", "say", "room", 0);
      assert.equal((await client.event("a", "said"))[0], 0);
      client.emit("a", "say-later", 200, "room", 1);
      client.emit("a", "say-later", 250, "room", 2);
      await client.ask("a", "echo");
      client.send({ op: "drop", id: "a" });
      await client.next("disconnect", { id: "a" });
      const again = await client.next("connect", { id: "a" });
      assert.deepEqual([again.recovered, again.sid], [true, sid]);
      assert.equal((await client.event("a", "said"))[0], 1);
      assert.equal((await client.event("a", "said"))[0], 2);
      client.emit("a", "say", "room", 3);
      assert.equal((await client.event("a", "said"))[0], 3);
      assert.ok(!client.has("event", { event: "said" }));
    });
  });
}

test("attempts run out, and none are made where that is switched off", async (t) => {
  const nobody = { url: `http://127.0.0.1:${await freePort()}` };
  const client = await Driver.start(t);
  client.open("a", nobody, { reconnectionAttempts: 3 });
  for (let attempt = 1; attempt <= 3; attempt++) {
    await client.next("connect_error", { id: "a" });
    await client.next("reconnect_attempt", { id: "a", attempt });
    await client.next("reconnect_error", { id: "a", attempt });
  }
  await client.next("reconnect_failed", { id: "a" });
  client.open("b", nobody, { reconnection: false });
  await client.next("connect_error", { id: "b" });
  await pause(100);
  assert.ok(!client.has("reconnect_attempt", { id: "b" }));
});

test("a server that offers polling only is polled", async (t) => {
  const server = await startPeer(t, "socket.io 4", { TRANSPORTS: "polling" });
  const client = await Driver.start(t);
  await client.connect("a", server);
  assert.deepEqual(await client.ask("a", "transport"), ["polling"]);
  assert.ok(!client.has("upgrade"));
});

test("bad commands are reported, and the end of input ends the process", async (t) => {
  const client = await Driver.start(t);
  client.send({ op: "fly" });
  client.send({ op: "emit", id: "nobody", event: "e" });
  client.send({ op: "open", id: "a", url: "http://127.0.0.1:1", opts: { eio: 5 } });
  client.send({ op: "open", id: "a", url: "http://127.0.0.1:1", opts: { unknown: 1 } });
  for (let n = 0; n < 4; n++) await client.next("error");
  client.send({ op: "exit" });
  assert.equal(await client.exited, 0);
});
