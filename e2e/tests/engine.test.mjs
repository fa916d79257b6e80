// Engine.IO alone, with the official engine.io-client.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { Socket } from "engine.io-client";
import { MODES, transportsOf } from "../lib/client.mjs";
import { Engine, textOf } from "../lib/raw.mjs";
import { notYet, onReference, startTarget } from "../lib/target.mjs";
import { eventually, once, within } from "../lib/wait.mjs";

const echo = await startTarget({ PROFILE: "engine-echo" });
// Its hook and its headers are not there yet.
const client = onReference && (await startTarget({ PROFILE: "engine-client" }));
const chatter = await startTarget({ PROFILE: "engine-chatter" });

const sockets = new Set();
after(() => sockets.forEach((socket) => socket.close()));

/** An open session; what it receives is in `inbox`. */
async function open(target, mode, options = {}) {
  const socket = new Socket(target.url, { path: target.path, transports: transportsOf(mode), ...options });
  sockets.add(socket);
  socket.binaryType = "nodebuffer";
  socket.inbox = [];
  // This client hands out an empty text as undefined.
  socket.on("message", (data) => socket.inbox.push(data ?? ""));
  const upgraded = new Promise((resolve) => (mode === "upgrade" ? socket.once("upgrade", resolve) : resolve()));
  await within(
    new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject)),
    "open",
  );
  await within(upgraded, "upgrade");
  return socket;
}

const received = (socket, count) => eventually(() => socket.inbox.length >= count && socket.inbox.splice(0, count), `${count} messages`);

for (const mode of MODES) {
  describe(mode, () => {
    test("text and binary come back as they were, in order", async () => {
      const socket = await open(echo, mode);
      const messages = ["", "text", "ünïcödé 😀", Buffer.from([0, 1, 30, 255]), "b4", "4", Buffer.alloc(50_000, 3), "x".repeat(50_000), Buffer.alloc(0)];
      messages.forEach((message) => socket.send(message));
      assert.deepEqual(await received(socket, messages.length), messages);
    });

    test("the session lives through heartbeats", async () => {
      const socket = await open(echo, mode);
      let pings = 0;
      socket.on("heartbeat", () => (pings += 1));
      await eventually(() => pings >= 3, "three pings");
      socket.send("alive");
      assert.deepEqual(await received(socket, 1), ["alive"]);
    });

    test("binary for a client that asks for base64", async () => {
      const socket = await open(echo, mode, { forceBase64: true });
      socket.send(Buffer.from([1, 2, 3]));
      assert.deepEqual(await received(socket, 1), [Buffer.from([1, 2, 3])]);
    });

    test("a server that talks first", notYet("allow-request"), async () => {
      const socket = await open(client, mode);
      assert.deepEqual(await received(socket, 1), ["hi"]);
      for (const [question, answer] of [
        ["give binary", Buffer.from([0, 1, 2, 3, 4])],
        ["give utf8", "пойду спать всем спокойной ночи"],
        ["anything else", "anything else"],
      ]) {
        socket.send(question);
        assert.deepEqual(await received(socket, 1), [answer]);
      }
    });

    test("a greeting, an answer, a close", async () => {
      const socket = await open(chatter, mode);
      socket.send("respond");
      assert.deepEqual(await received(socket, 2), ["hello client", "Roger Roger"]);
      const closed = once(socket, "close");
      socket.send("close");
      assert.equal((await closed)[0], "transport close");
    });

    test("the hook refuses", notYet("allow-request"), async () => {
      const query = { deny: "1" };
      await assert.rejects(open(client, mode, { query }), (error) => {
        assert.equal(error.message, mode === "websocket" ? "websocket error" : "xhr poll error");
        if (mode !== "websocket") assert.equal(error.description, 403);
        return true;
      });
    });

    test("a closed client leaves no session", async () => {
      const lonely = await startTarget({ PROFILE: "engine-echo", PING_INTERVAL: "25000" });
      const socket = await open(lonely, mode);
      assert.equal((await lonely.counts()).sessions, 1);
      socket.close();
      await eventually(async () => (await lonely.counts()).sessions === 0, "no session");
    });
  });
}

test("headers of the POST that carried the question", notYet("allow-request"), async () => {
  const socket = await open(client, "polling", { extraHeaders: { "X-Custom": "yes" } });
  socket.send("sendHeaders");
  const headers = JSON.parse((await received(socket, 2)).at(-1));
  assert.equal(headers["x-custom"], "yes");
  assert.match(headers["content-type"], /^text\/plain/);
});

test("the handshake's cookies", notYet("allow-request"), async () => {
  const engine = new Engine(client);
  const response = await engine.handshake();
  const cookies = response.headers["set-cookie"];
  assert.deepEqual(cookies.slice(0, 3), ["1=1; Max-Age=86400", "2=2; Path=/; HttpOnly; Secure; SameSite=Strict", "3=3; Max-Age=0"]);
  assert.match(cookies[3], /^4=4; Expires=\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/);
  assert.equal(cookies.length, 4);
  assert.equal((await engine.get()).headers["set-cookie"], undefined);
  engine.close();
});

test("the greeting does not share the handshake's body", notYet("allow-request"), async () => {
  const engine = new Engine(client);
  const response = await engine.handshake();
  assert.match(textOf(response), /^0\{[^\x1e]*\}$/);
  assert.equal(engine.hello.maxPayload, 100);
  assert.equal(await engine.next(), "4hi");
  engine.close();
});
