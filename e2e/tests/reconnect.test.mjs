// A server that dies and comes back on the same port: the same client object goes on.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MODES, call, disconnected, manager, open, settle, socketOf, take, waiting } from "../lib/client.mjs";
import { notYet, startTarget } from "../lib/target.mjs";
import { once } from "../lib/wait.mjs";

const QUICK = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 100, randomizationFactor: 0 };

for (const mode of MODES) {
  describe(mode, () => {
    test("killed and restarted: events emitted meanwhile arrive in order", async () => {
      const target = await startTarget({ PROFILE: "full" });
      const connection = manager(target, mode, QUICK);
      const main = await open(socketOf(connection, "/", { auth: { who: "main" } }));
      const chat = await open(socketOf(connection, "/chat"));
      await settle(main);
      await settle(chat);
      const before = main.id;

      const gone = [disconnected(main), disconnected(chat)];
      await target.kill();
      for (const [reason] of await Promise.all(gone)) assert.match(reason, /^transport (close|error)$/);

      main.inbox.length = 0;
      for (let i = 0; i < 50; i++) main.emit("echo", i, Buffer.from([i]));
      const answer = call(chat, "echo", "asked while down");

      const back = [once(main, "connect", 10_000), once(chat, "connect", 10_000)];
      await target.start();
      await Promise.all(back);
      assert.notEqual(main.id, before);
      assert.notEqual(main.recovered, true);
      assert.deepEqual(await answer, ["asked while down"]);
      assert.deepEqual((await take(main, "welcome"))[0].auth, { who: "main" });
      for (let i = 0; i < 50; i++) assert.deepEqual(await take(main, "echo"), [i, Buffer.from([i])]);
      await settle(main);
      assert.deepEqual(waiting(main, "echo"), []);
    });

    test("a dropped link is mended without a restart, the rooms are gone", async () => {
      const target = await startTarget({ PROFILE: "full" });
      const socket = await open(socketOf(manager(target, mode, QUICK)));
      await call(socket, "join", "r");
      const back = disconnected(socket).then(() => once(socket, "connect"));
      socket.emit("drop");
      await back;
      assert.deepEqual(await call(socket, "rooms-of"), [[socket.id]]);
    });

    test("a server that is not there yet is found once it is", async () => {
      const target = await startTarget({ PROFILE: "full" });
      await target.kill();
      const socket = socketOf(manager(target, mode, QUICK));
      socket.connect();
      await once(socket, "connect_error");
      const connected = once(socket, "connect", 10_000);
      await target.start();
      await connected;
      await settle(socket);
    });

    test("a session of the old process is unknown to the new one", async () => {
      const target = await startTarget({ PROFILE: "full" });
      const socket = await open(socketOf(manager(target, mode, { ...QUICK, reconnection: false })));
      const sid = socket.io.engine.id;
      const gone = disconnected(socket);
      await target.kill();
      await gone;
      await target.start();
      const response = await fetch(`${target.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`);
      assert.equal(response.status, 400);
      assert.deepEqual(await response.json(), { code: 1, message: "Session ID unknown" });
    });

    test("recovery: the same id, rooms and data, and the missed events once each", notYet("recovery"), async () => {
      const target = await startTarget({ PROFILE: "full", RECOVERY: "10000" });
      const socket = await open(socketOf(manager(target, mode, QUICK)));
      const other = await open(socketOf(manager(target, "websocket")));
      await call(socket, "join", "r");
      other.emit("say", "r", "first");
      await take(socket, "said");
      const before = socket.id;
      const gone = disconnected(socket);
      const back = once(socket, "connect");
      // Spoken after the drop, before the client can be back.
      socket.emit("say-later", 10, "r", "missed 1");
      socket.emit("say-later", 20, "r", "missed 2", Buffer.from([1, 2]));
      socket.emit("drop");
      await gone;
      await back;
      assert.equal(socket.recovered, true);
      assert.equal(socket.id, before);
      const [first] = await take(socket, "said");
      const [second, data] = await take(socket, "said");
      assert.deepEqual([first, second, data], ["missed 1", "missed 2", Buffer.from([1, 2])]);
      assert.deepEqual((await call(socket, "rooms-of"))[0].sort(), [socket.id, "r"].sort());
      other.emit("say", "r", "live");
      assert.equal((await take(socket, "said"))[0], "live");
    });
  });
}
