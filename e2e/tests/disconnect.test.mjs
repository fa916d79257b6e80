// Ends: who closed what, the reason each side hears, and what stays.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MODES, call, connect, disconnected, manager, open, settle, socketOf, take, waiting } from "../lib/client.mjs";
import { Engine, frameOf, textOf } from "../lib/raw.mjs";
import { deviation, startTarget, Target } from "../lib/target.mjs";
import { eventually, once } from "../lib/wait.mjs";

const target = await startTarget({ PROFILE: "full", OWN_NAMESPACES: "3" });

for (const mode of MODES) {
  describe(mode, () => {
    const pair = async () => {
      const connection = manager(target, mode);
      return [await open(socketOf(connection)), await open(socketOf(connection, "/chat"))];
    };

    test("kick ends one namespace and leaves the others", async () => {
      const [main, chat] = await pair();
      const gone = disconnected(chat);
      chat.emit("kick");
      assert.deepEqual((await gone).slice(0, 1), ["io server disconnect"]);
      assert.equal(chat.active, false);
      await settle(main);
      // The kicked socket may come back on the same connection.
      const engine = main.io.engine.id;
      await open(chat);
      await settle(chat);
      assert.equal(chat.io.engine.id, engine);
    });

    test("kick-all ends every namespace and the connection", async () => {
      const [main, chat] = await pair();
      const closed = once(main.io, "close");
      const gone = [disconnected(main), disconnected(chat)];
      chat.emit("kick-all");
      const reasons = (await Promise.all(gone)).map(([reason]) => reason);
      assert.deepEqual(reasons, ["io server disconnect", "io server disconnect"]);
      // The last socket that is gone makes the client close the engine, if the server was not first.
      assert.match((await closed)[0], /^(forced close|transport close)$/);
    });

    test("what was emitted before a kick arrives before it", async () => {
      const [main] = await pair();
      await take(main, "welcome");
      const gone = disconnected(main);
      main.emit("burst", 20);
      main.emit("kick");
      await gone;
      assert.deepEqual(waiting(main, "tick").flat(), Array.from({ length: 20 }, (_, i) => i));
    });

    test("drop cuts the connection without a word", async () => {
      const [main, chat] = await pair();
      const gone = [disconnected(main), disconnected(chat)];
      main.emit("drop");
      for (const [reason] of await Promise.all(gone)) assert.equal(reason, "transport close");
    });

    test("a client that disconnects is gone at once for the others", async () => {
      const namespace = `/own-${MODES.indexOf(mode)}`;
      const [main] = await pair();
      const leaving = await open(socketOf(main.io, namespace));
      const other = await connect(target, mode, { namespace });
      assert.deepEqual(await call(other, "count"), [2]);
      const reason = disconnected(leaving);
      leaving.disconnect();
      assert.equal((await reason)[0], "io client disconnect");
      await settle(main);
      await eventually(async () => (await call(other, "count"))[0] === 1, "one left");
    });

    test("pending acknowledgements fail when the link goes", async () => {
      const [main] = await pair();
      const question = main.timeout(10_000).emitWithAck("noack");
      await settle(main);
      main.emit("drop");
      await assert.rejects(question, /socket has been disconnected/);
    });

    test("SIGTERM: clients hear of it, the process ends with code 0", async () => {
      const doomed = await new Target({ PROFILE: "full" }).start();
      const socket = await connect(doomed, mode);
      const gone = disconnected(socket);
      assert.equal(await doomed.stop(), true);
      // A client that polls may be between two polls, and then finds nobody there.
      assert.match((await gone)[0], mode === "polling" ? /^transport (close|error)$/ : /^transport close$/);
    });
  });
}

test("kick-all on the wire: a disconnect for each namespace, then the close", async () => {
  const engine = new Engine(target);
  const wire = await engine.websocket();
  wire.text("40");
  assert.match(await wire.frame(), /^40\{/);
  assert.match(await wire.frame(), /welcome/);
  wire.text("40/chat,");
  assert.match(await wire.frame(), /^40\/chat,/);
  assert.match(await wire.frame(), /welcome/);
  wire.text('42["kick-all"]');
  assert.deepEqual(await wire.frames(), ["41", "41/chat,", "close:1005", "end"]);
});

test("SIGTERM on the wire: a pending poll is told, a WebSocket gets a close frame, no disconnect packets", async () => {
  const doomed = await new Target({ PROFILE: "full" }).start();
  const [polling, websocket] = [new Engine(doomed), new Engine(doomed)];
  await polling.handshake();
  await polling.post("40");
  while (!(await polling.next()).includes("welcome"));
  const poll = await polling.openPoll();
  const wire = await websocket.websocket();
  wire.text("40");
  await wire.frame();
  await wire.frame();
  assert.equal(await doomed.stop(), true);
  assert.equal(textOf(await poll.response()), "1");
  assert.deepEqual(await wire.frames(), ["close:1005", "end"]);
});

test("events that arrived before the disconnect are handled", deviation("events-before-disconnect"), async () => {
  const engine = new Engine(target);
  await engine.handshake();
  await engine.post("40");
  await engine.next();
  await engine.post('42["mark","before the disconnect"]\x1e41');
  const socket = await connect(target, "websocket");
  await eventually(async () => (await call(socket, "peek", "before the disconnect"))[0] === 1, "event handled");
  engine.close();
});

async function rejoin(pauseBetween) {
  const engine = new Engine(target);
  const wire = await engine.websocket();
  const connected = async () => {
    const { sid } = JSON.parse((await wire.frame()).slice("40/chat,".length));
    assert.match(await wire.frame(), /^42\/chat,\["welcome",/);
    return sid;
  };
  wire.text("40/chat,");
  const first = await connected();
  if (pauseBetween) {
    wire.text("41/chat,");
    await pauseBetween(wire);
    wire.text("40/chat,");
  } else {
    wire.send(Buffer.concat([frameOf(1, Buffer.from("41/chat,")), frameOf(1, Buffer.from("40/chat,"))]));
  }
  assert.notEqual(await connected(), first);
  engine.close();
}

test("a namespace that was left can be joined again on the same session", () =>
  rejoin(async (wire) => {
    // The refusal shows that the disconnect before it was handled.
    wire.text("40/nowhere,");
    assert.equal(await wire.frame(), '44/nowhere,{"message":"Invalid namespace"}');
  }));

test("a namespace can be left and joined again in one go", deviation("rejoin-in-one-go"), () => rejoin());

test("an answer to a socket that is gone is not written", deviation("ack-after-disconnect"), async () => {
  const engine = new Engine(target);
  const wire = await engine.websocket();
  wire.text("40");
  await wire.frame();
  await wire.frame();
  wire.text('420["slow",50,"x"]');
  wire.text("41");
  // The connection stays: a second namespace is asked after the answer was due.
  wire.text("40/lag,");
  assert.match(await wire.frame(), /^40\/lag,/);
  engine.close();
});
