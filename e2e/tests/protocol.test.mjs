// Socket.IO and Engine.IO packet by packet, on raw WebSockets and raw HTTP.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Engine, frameOf, textOf } from "../lib/raw.mjs";
import { differs, startTarget } from "../lib/target.mjs";
import { eventually, pause, within } from "../lib/wait.mjs";

// Long heartbeats, so that only what a test does can end a session.
const target = await startTarget({ PROFILE: "protocol", PING_INTERVAL: "25000", PING_TIMEOUT: "20000", CONNECT_TIMEOUT: "45000" });

const SID = /^\{"sid":"[A-Za-z0-9_-]{20}"\}$/;

async function session(t) {
  const engine = new Engine(target);
  t.after(() => engine.close());
  return [engine, await engine.websocket()];
}

/** A session on WebSocket that has joined a namespace and taken its greeting. */
async function joined(t, namespace = "") {
  const [engine, wire] = await session(t);
  await join(wire, namespace);
  return [engine, wire];
}

async function join(wire, namespace = "") {
  wire.text(`40${namespace}`);
  const reply = await wire.frame();
  assert.ok(reply.startsWith(`40${namespace}`), reply);
  assert.match(reply.slice(`40${namespace}`.length), SID);
  assert.equal(await wire.frame(), `42${namespace}["auth",{}]`);
}

const CLOSED = ["close:1005", "end"];

describe("connecting", () => {
  test("the handshake document", async (t) => {
    const engine = new Engine(target);
    t.after(() => engine.close());
    const polling = textOf(await engine.handshake());
    const sid = engine.sid;
    assert.match(sid, /^[A-Za-z0-9_-]{20}$/);
    assert.equal(
      polling,
      `0{"sid":"${sid}","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`,
    );
    const [{ hello }] = await session(t);
    assert.deepEqual(Object.keys(hello), ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"]);
    assert.deepEqual(hello.upgrades, []);
  });

  test("main namespace and another one, with and without a comma", async (t) => {
    const [, wire] = await joined(t);
    await join(wire, "/custom,");
    const [, second] = await session(t);
    second.text("40/custom");
    assert.match(await second.frame(), /^40\/custom,\{"sid":/);
  });

  test("the payload becomes auth; an empty one is {}", async (t) => {
    for (const [payload, auth] of [['{"token":"123","n":[1]}', '{"token":"123","n":[1]}'], ["{}", "{}"], ["", "{}"]]) {
      const [, wire] = await session(t);
      wire.text(`40${payload}`);
      assert.match(await wire.frame(), /^40\{"sid":/);
      assert.equal(await wire.frame(), `42["auth",${auth}]`);
    }
  });

  test("the main namespace may be named", async (t) => {
    const [, wire] = await session(t);
    wire.text('40/,{"a":1}');
    assert.match(await wire.frame(), /^40\{"sid":/);
    assert.equal(await wire.frame(), '42["auth",{"a":1}]');
  });

  test("a query in the name is part of the name", async (t) => {
    const [, wire] = await session(t);
    wire.text("40/custom?a=b,");
    assert.equal(await wire.frame(), '44/custom?a=b,{"message":"Invalid namespace"}');
  });

  test("an unknown namespace", async (t) => {
    const [, wire] = await session(t);
    wire.text("40/random");
    assert.equal(await wire.frame(), '44/random,{"message":"Invalid namespace"}');
    await join(wire);
  });

  test("the reply over polling is not part of the handshake's body", async (t) => {
    const engine = new Engine(target);
    t.after(() => engine.close());
    await engine.handshake();
    const poll = engine.poll();
    assert.equal(textOf(await engine.post("40")), "ok");
    const text = textOf(await poll.response());
    // CONNECT and the greeting come in one body or in two.
    const rest = text.includes("\x1e") ? "" : `\x1e${await engine.next()}`;
    assert.match(text + rest, /^40\{"sid":"[^"]{20}"\}\x1e42\["auth",\{\}\]$/);
  });

  test("without a namespace in time the connection is closed", async (t) => {
    const quick = await startTarget({ PROFILE: "protocol", PING_INTERVAL: "25000" });
    for (const packets of [[], ["40/random"]]) {
      const engine = new Engine(quick);
      const wire = await engine.websocket();
      const opened = performance.now();
      packets.forEach((packet) => wire.text(packet));
      const frames = await wire.frames();
      assert.deepEqual(frames.slice(-2), CLOSED);
      const waited = performance.now() - opened;
      assert.ok(waited > 900 && waited < 2_500, `closed after ${waited} ms`);
    }

    // Over polling: a pending poll gets the close packet.
    const polling = new Engine(quick);
    await polling.handshake();
    assert.equal(await polling.next(), "1");
    assert.equal((await polling.get()).status, 400);
  });

  test("with a namespace it is not, even if it is left again", async (t) => {
    const quick = await startTarget({ PROFILE: "protocol", PING_INTERVAL: "25000", CONNECT_TIMEOUT: "200" });
    const engine = new Engine(quick);
    t.after(() => engine.close());
    const wire = await engine.websocket();
    await join(wire);
    wire.text("41");
    await pause(400);
    await join(wire);
  });
});

describe("events", () => {
  test("text, with and without an acknowledgement, in both namespaces", async (t) => {
    const [, wire] = await joined(t);
    await join(wire, "/custom,");
    for (const namespace of ["", "/custom,"]) {
      for (const args of ['"a"', '1,"2",{"3":[true]}', '""', "null"]) {
        wire.text(`42${namespace}["message",${args}]`);
        assert.equal(await wire.frame(), `42${namespace}["message-back",${args}]`);
        wire.text(`42${namespace}456["message-with-ack",${args}]`);
        assert.equal(await wire.frame(), `43${namespace}456[${args}]`);
      }
      wire.text(`42${namespace}["message"]`);
      assert.equal(await wire.frame(), `42${namespace}["message-back"]`);
      wire.text(`42${namespace}0["message-with-ack"]`);
      assert.equal(await wire.frame(), `43${namespace}0[]`);
    }
  });

  test("binary: the header, then the attachments, on WebSocket", async (t) => {
    const [, wire] = await joined(t);
    wire.text('452-["message",{"_placeholder":true,"num":0},{"k":[{"_placeholder":true,"num":1}]}]');
    wire.binary([1, 2, 3]);
    wire.binary([]);
    assert.deepEqual(
      [await wire.frame(), await wire.frame(), await wire.frame()],
      ['452-["message-back",{"_placeholder":true,"num":0},{"k":[{"_placeholder":true,"num":1}]}]', "<010203>", "<>"],
    );
    wire.text('451-7["message-with-ack",{"_placeholder":true,"num":0},"x"]');
    wire.binary([255]);
    assert.deepEqual([await wire.frame(), await wire.frame()], ['461-7[{"_placeholder":true,"num":0},"x"]', "<ff>"]);
  });

  test("binary over polling is base64", async (t) => {
    const engine = new Engine(target);
    t.after(() => engine.close());
    await engine.handshake();
    await engine.post("40");
    assert.match(await engine.next(), /^40/);
    await engine.post('451-["message",{"_placeholder":true,"num":0}]\x1ebAQIDBA==');
    const packets = [];
    while (packets.filter((packet) => packet.startsWith("b")).length === 0) {
      packets.push(...(await engine.next()).split("\x1e"));
    }
    assert.deepEqual(packets.slice(-2), ['451-["message-back",{"_placeholder":true,"num":0}]', "bAQIDBA=="]);
  });

  test("placeholders may come in any order, and one attachment may be used twice", async (t) => {
    const [, wire] = await joined(t);
    wire.text('452-["message",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
    wire.binary([10]);
    wire.binary([11]);
    const header = JSON.parse((await wire.frame()).replace(/^45\d+-/, ""));
    const attachments = [];
    for (let i = 0; i <= Math.max(...header.slice(1).map(({ num }) => num)); i++) attachments.push(await wire.frame());
    assert.deepEqual(header.slice(1).map(({ num }) => attachments[num]), ["<0b>", "<0a>", "<0b>"]);
  });

  test("the most attachments that are allowed", async (t) => {
    const [, wire] = await joined(t);
    const places = Array.from({ length: 10 }, (_, num) => `{"_placeholder":true,"num":${num}}`).join();
    wire.text(`4510-["message",${places}]`);
    for (let i = 0; i < 10; i++) wire.binary([i]);
    assert.equal(await wire.frame(), `4510-["message-back",${places}]`);
    for (let i = 0; i < 10; i++) assert.equal(await wire.frame(), `<0${i}>`);
  });

  test("the server asks: the reply goes back under the id it chose", async (t) => {
    const [, wire] = await joined(t);
    await join(wire, "/custom,");
    for (const namespace of ["", "/custom,"]) {
      wire.text(`42${namespace}["emit-with-ack",1,"2"]`);
      const question = await wire.frame();
      const [, id] = new RegExp(`^42${namespace}(\\d+)\\["emit-with-ack",1,"2"\\]$`).exec(question) ?? assert.fail(question);
      wire.text(`43${namespace}${id}["first",{"b":2}]`);
      assert.equal(await wire.frame(), `42${namespace}["emit-with-ack","first",{"b":2}]`);
      // A second answer, and one that nobody asked for, are ignored.
      wire.text(`43${namespace}${id}["second"]`);
      wire.text(`43${namespace}99999["nobody"]`);
      wire.text(`42${namespace}["message","still here"]`);
      assert.equal(await wire.frame(), `42${namespace}["message-back","still here"]`);
    }
  });

  test("the server asks with binary and gets binary", async (t) => {
    const [, wire] = await joined(t);
    wire.text('451-["emit-with-ack",{"_placeholder":true,"num":0}]');
    wire.binary([1, 2]);
    const [, id] = /^451-(\d+)\["emit-with-ack",\{"_placeholder":true,"num":0\}\]$/.exec(await wire.frame());
    assert.equal(await wire.frame(), "<0102>");
    wire.text(`461-${id}[{"_placeholder":true,"num":0}]`);
    wire.binary([3]);
    assert.equal(await wire.frame(), '451-["emit-with-ack",{"_placeholder":true,"num":0}]');
    assert.equal(await wire.frame(), "<03>");
  });

  test("a disconnect packet leaves the namespace; the connection stays", async (t) => {
    const [, wire] = await joined(t);
    await join(wire, "/custom,");
    wire.text("41");
    wire.text('42/custom,["message",1]');
    assert.equal(await wire.frame(), '42/custom,["message-back",1]');
    // An event of a namespace that was left is one before CONNECT.
    wire.text('42["message",1]');
    assert.deepEqual(await wire.frames(), CLOSED);
  });
});

describe("violations close the connection", () => {
  const before = {
    "an event before CONNECT": '42["message"]',
    "an acknowledgement before CONNECT": "430[]",
    "a disconnect before CONNECT": "41",
    "an event of another namespace": '42/custom,["message"]',
    "a connect error from the client": '44{"message":"x"}',
  };
  for (const [name, packet] of Object.entries(before)) {
    test(name, async (t) => {
      const [, wire] = await session(t);
      wire.text(packet);
      assert.deepEqual(await wire.frames(), CLOSED);
    });
  }

  test("an event of a namespace not joined, while another one is", async (t) => {
    const [, wire] = await joined(t);
    wire.text('42/custom,["message"]');
    assert.deepEqual(await wire.frames(), CLOSED);
  });

  test("a disconnect from a namespace not joined, while another one is", async (t) => {
    const [, wire] = await joined(t);
    wire.text("41/custom,");
    assert.deepEqual(await wire.frames(), CLOSED);
  });

  test("a second CONNECT", async (t) => {
    const [, wire] = await joined(t);
    wire.text("40");
    assert.deepEqual(await wire.frames(), CLOSED);
  });

  test("a connect error on a joined namespace", async (t) => {
    const [, wire] = await joined(t);
    wire.text('44{"message":"x"}');
    assert.deepEqual(await wire.frames(), CLOSED);
  });

  test("over polling: the pending poll is answered, then the session is unknown", async (t) => {
    const engine = new Engine(target);
    t.after(() => engine.close());
    await engine.handshake();
    const poll = await engine.openPoll();
    // The violation itself is well formed, so the POST is answered like any other.
    assert.equal(textOf(await engine.post('42["message"]')), "ok");
    assert.equal(textOf(await poll.response()), "1");
    assert.equal(textOf(await engine.get()), '{"code":1,"message":"Session ID unknown"}');
  });

  test("over polling without a pending poll: the next one is told", async (t) => {
    const engine = new Engine(target);
    t.after(() => engine.close());
    await engine.handshake();
    assert.equal(textOf(await engine.post('42["message"]')), "ok");
    assert.equal(await engine.next(), "6\x1e1");
    assert.equal(textOf(await engine.get()), '{"code":1,"message":"Session ID unknown"}');
  });
});

// Verdicts of the reference's decoder on a joined socket.
describe("packets", () => {
  const malformed = {
    "CONNECT with an array": "40/custom,[]",
    "CONNECT with null": "40/custom,null",
    "CONNECT with a namespace without a slash": "40custom,",
    "CONNECT with a string": '40/custom,"abc"',
    "CONNECT with broken JSON": '40/custom,{"a":',
    "DISCONNECT with data": '41{"a":1}',
    "EVENT with an empty array": "42[]",
    "EVENT with an object": '42{"x":1}',
    "EVENT with null": "42null",
    "EVENT with a string": '42"x"',
    "EVENT with a reserved name: connect": '42["connect"]',
    "EVENT with a reserved name: connect_error": '42["connect_error"]',
    "EVENT with a reserved name: disconnect": '42["disconnect"]',
    "EVENT with a reserved name: disconnecting": '42["disconnecting"]',
    "EVENT with a reserved name: newListener": '42["newListener"]',
    "EVENT with a reserved name: removeListener": '42["removeListener"]',
    "EVENT whose name is an object": "42[{}]",
    "EVENT whose name is null": "42[null]",
    "EVENT whose name is a boolean": "42[true]",
    "EVENT with something behind the array": '42["e"]]',
    "EVENT with broken JSON": '42["e"',
    "EVENT with an id that is no number": '4221e3["a"]',
    "EVENT with a negative id": '42-1["a"]',
    "ACK with null": "43null",
    "ACK with an object": "430{}",
    "BINARY_EVENT without a number of attachments": '45-["a"]',
    "BINARY_EVENT without a dash": '451["a"]',
    "BINARY_EVENT with no attachments": '450-["a"]',
    "BINARY_EVENT with too many attachments": '4511-["a"]',
    "BINARY_EVENT with a number that is none": '45x-["a"]',
    "BINARY_EVENT with a negative number": '45-1-["a"]',
    "an unknown packet type": '47["a"]',
    "a letter for a type": "4a",
    "an empty message": "4",
  };
  for (const [name, packet] of Object.entries(malformed)) {
    test(`malformed: ${name}`, async (t) => {
      const [, wire] = await joined(t);
      wire.text(packet);
      assert.deepEqual(await wire.frames(), CLOSED);
    });
  }

  const inBinary = {
    "text while an attachment is missing": ['451-["message",{"_placeholder":true,"num":0}]', '42["message"]'],
    "binary that nothing announced": [Buffer.from([1])],
    "more binary than announced": ['451-["x",{"_placeholder":true,"num":0}]', Buffer.from([1]), Buffer.from([2])],
    "a placeholder beyond the attachments": ['451-["message",{"_placeholder":true,"num":1}]', Buffer.from([1])],
    "a placeholder with a negative number": ['451-["message",{"_placeholder":true,"num":-1}]', Buffer.from([1])],
    "a placeholder whose number is text": ['451-["message",{"_placeholder":true,"num":"0"}]', Buffer.from([1])],
  };
  for (const [name, packets] of Object.entries(inBinary)) {
    test(`malformed: ${name}`, async (t) => {
      const [, wire] = await joined(t);
      for (const packet of packets) typeof packet === "string" ? wire.text(`4${packet.slice(1)}`) : wire.binary(packet);
      assert.deepEqual(await wire.frames(), CLOSED);
    });
  }

  const harmless = {
    "an event nobody handles": '42["nobody"]',
    "an event whose name is a number": "42[1]",
    "an event whose name is empty": '42[""]',
    "an acknowledgement without an id": "43[]",
    "an acknowledgement nobody asked for": "4312345[]",
    "an acknowledgement with a huge id": `43${"9".repeat(30)}[]`,
  };
  for (const [name, packet] of Object.entries(harmless)) {
    test(`harmless: ${name}`, async (t) => {
      const [, wire] = await joined(t);
      wire.text(packet);
      wire.text('42["message","alive"]');
      assert.equal(await wire.frame(), '42["message-back","alive"]');
    });
  }

  // The reference lets these through its decoder, where a strict one may well refuse them: what must not
  // happen is anything but one of the two.
  const either = {
    "EVENT without data": "42",
    "EVENT with an id and no data": "421",
    "ACK with an id and no data": "431",
    "a space for an id": '42 ["nobody"]',
    "an event glued to its namespace": '42/custom["message"]',
    "binary announced and not used": '451-["nobody"]',
  };
  for (const [name, packet] of Object.entries(either)) {
    test(`either refused or ignored: ${name}`, async (t) => {
      const [, wire] = await joined(t);
      wire.text(packet);
      if (packet.startsWith("45")) wire.binary([1]);
      wire.text('42["message","alive"]');
      assert.ok(['42["message-back","alive"]', "close:1005"].includes(await wire.frame()));
    });
  }

  // A client must wait for the reply to its CONNECT. The reference closes, as it does for any event before
  // CONNECT; a server that is done connecting at once may as well handle it.
  test("either refused or handled: an event in one go with CONNECT", async (t) => {
    const [, wire] = await session(t);
    wire.send(Buffer.concat([frameOf(1, Buffer.from("40")), frameOf(1, Buffer.from('42["message",1]'))]));
    const frames = [];
    for (;;) {
      const frame = await wire.frame();
      if (frame === "close:1005") break;
      frames.push(frame);
      if (frame === '42["message-back",1]') break;
    }
    assert.ok(frames.length === 0 || frames.length === 3, frames.join(" "));
  });
});

describe("Engine.IO packets on WebSocket", () => {
  for (const [name, packet, frames] of [
    ["text that is no packet", "xyz", CLOSED],
    ["an empty text frame", "", CLOSED],
    ["a type that does not exist", "7", CLOSED],
    ["a ping", "2", CLOSED],
    ["a probe outside an upgrade", "2probe", CLOSED],
  ]) {
    test(`${name} ends the session`, async (t) => {
      const [engine, wire] = await joined(t);
      wire.text(packet);
      assert.deepEqual(await wire.frames(), frames);
      assert.equal((await engine.get()).status, 400);
    });
  }

  for (const [name, packet] of [["open", "0"], ["pong", "3"], ["upgrade", "5"], ["noop", "6"]]) {
    test(`${name} is ignored`, async (t) => {
      const [, wire] = await joined(t);
      wire.text(packet);
      wire.text('42["message",1]');
      assert.equal(await wire.frame(), '42["message-back",1]');
    });
  }

  test("a close packet", async (t) => {
    const [, wire] = await joined(t);
    wire.text("1");
    wire.text('42["message",1]');
    const expected = differs("close-packet-on-websocket", { reference: '42["message-back",1]', sockeye: "close:1005" });
    assert.equal(await wire.frame(), expected);
  });

  test("a WebSocket that is cut leaves no session", async (t) => {
    for (const cut of [(wire) => wire.reset(), (wire) => wire.destroy(), (wire) => wire.send(frameOf(8, Buffer.alloc(0)))]) {
      const [engine, wire] = await joined(t);
      cut(wire);
      await eventually(async () => textOf(await engine.get()).includes('"code":1'), "session gone");
    }
  });
});

describe("polling and close", () => {
  const polling = async (t) => {
    const engine = new Engine(target);
    t.after(() => engine.close());
    await engine.handshake();
    return engine;
  };

  test("a close packet releases the pending poll with a noop", async (t) => {
    const engine = await polling(t);
    const poll = await engine.openPoll();
    assert.equal(textOf(await engine.post("1")), "ok");
    assert.equal(textOf(await poll.response()), "6");
    assert.equal((await engine.get()).status, 400);
  });

  test("a poll that the client aborts ends the session", async (t) => {
    const engine = await polling(t);
    const poll = await engine.openPoll();
    poll.destroy();
    await eventually(async () => textOf(await engine.post("3")).includes('"code":1'), "session gone");
  });

  test("two polls at once end the session", async (t) => {
    const engine = await polling(t);
    const first = await engine.openPoll();
    const second = await engine.get();
    assert.equal(textOf(await first.response()), "1");
    assert.equal(second.status, 400);
    assert.equal(textOf(second), "");
    assert.equal((await engine.get()).status, 400);
  });

  test("a poll waits for data, it is not answered empty", async (t) => {
    const engine = await polling(t);
    const poll = engine.poll();
    const answer = poll.response();
    await assert.rejects(within(answer, "answer", 150));
    await engine.post("40");
    assert.match(textOf(await answer), /^40/);
  });

  test("what came while no poll was open leaves in one body", async (t) => {
    const engine = await polling(t);
    await engine.post("40");
    await engine.next();
    await engine.post('42["message",1]\x1e42["message",2]\x1e42["message",3]');
    const texts = [];
    while (!texts.join("\x1e").includes('"message-back",3')) texts.push(await engine.next());
    assert.deepEqual(texts.join("\x1e").split("\x1e").slice(-3), [1, 2, 3].map((n) => `42["message-back",${n}]`));
  });
});

describe("upgrade", () => {
  const pollingSession = async (t, server = target) => {
    const engine = new Engine(server);
    t.after(() => engine.close());
    await engine.handshake();
    await engine.post("40");
    let text = "";
    while (!text.includes('["auth"')) text += await engine.next();
    return engine;
  };

  test("probe, noop on the pending poll, upgrade", async (t) => {
    const engine = await pollingSession(t);
    const poll = await engine.openPoll();
    const wire = await engine.websocket();
    wire.text("2probe");
    assert.equal(await wire.frame(), "3probe");
    assert.equal(textOf(await poll.response()), "6");
    wire.text("5");
    wire.text('42["message","on websocket"]');
    assert.equal(await wire.frame(), '42["message-back","on websocket"]');
    const late = await engine.get();
    assert.deepEqual([late.status, textOf(late)], [400, '{"code":3,"message":"Bad request"}']);
    const latePost = await engine.post("4");
    assert.deepEqual([latePost.status, textOf(latePost)], [400, '{"code":3,"message":"Bad request"}']);
    wire.text('42["message","not disturbed"]');
    assert.equal(await wire.frame(), '42["message-back","not disturbed"]');
  });

  test("data that waits when the upgrade ends comes on the WebSocket, in order", async (t) => {
    const engine = await pollingSession(t);
    await engine.post('42["message",1]');
    await engine.post('42["message",2]');
    const wire = await engine.upgraded();
    wire.text('42["message",3]');
    for (const n of [1, 2, 3]) assert.equal(await wire.frame(), `42["message-back",${n}]`);
  });

  test("data that comes while the probe is on goes out on a poll", async (t) => {
    const engine = await pollingSession(t);
    const wire = await engine.websocket();
    wire.text("2probe");
    assert.equal(await wire.frame(), "3probe");
    await engine.post('42["message","still polling"]');
    assert.equal(await engine.next(), '42["message-back","still polling"]');
    wire.text("5");
    wire.text('42["message","moved"]');
    assert.equal(await wire.frame(), '42["message-back","moved"]');
  });

  for (const [name, bad] of [
    ["another ping", (wire) => wire.text("2bad")],
    ["a message", (wire) => wire.text('42["message",1]')],
    ["text that is no packet", (wire) => wire.text("xyz")],
    ["binary", (wire) => wire.binary([1])],
    ["a close packet", (wire) => wire.text("1")],
  ]) {
    test(`${name} instead of the probe: the candidate is closed, polling lives on`, async (t) => {
      const engine = await pollingSession(t);
      const wire = await engine.websocket();
      bad(wire);
      assert.deepEqual(await wire.frames(), CLOSED);
      await engine.post('42["message","alive"]');
      assert.equal(await engine.next(), '42["message-back","alive"]');
      // And the next candidate is welcome.
      const next = await engine.upgraded();
      next.text('42["message","moved"]');
      assert.equal(await next.frame(), '42["message-back","moved"]');
    });
  }

  test("a candidate that is cut after the probe: polling lives on", async (t) => {
    const engine = await pollingSession(t);
    const wire = await engine.websocket();
    wire.text("2probe");
    assert.equal(await wire.frame(), "3probe");
    wire.reset();
    await engine.post('42["message","alive"]');
    assert.equal(await eventually(async () => (await engine.next()).replace(/^6$/, ""), "message"), '42["message-back","alive"]');
  });

  test("a candidate that never says 5 is closed in time, polling lives on", async (t) => {
    const impatient = await startTarget({ PROFILE: "protocol", PING_INTERVAL: "25000", UPGRADE_TIMEOUT: "300" });
    for (const probe of [false, true]) {
      const engine = await pollingSession(t, impatient);
      const wire = await engine.websocket();
      if (probe) wire.text("2probe");
      assert.deepEqual(await wire.frames(), probe ? ["3probe", ...CLOSED] : CLOSED);
      await engine.post('42["message","alive"]');
      assert.equal(await engine.next(), '42["message-back","alive"]');
    }
  });

  test("a second WebSocket for a session is closed, the session is not disturbed", async (t) => {
    const engine = await pollingSession(t);
    const first = await engine.websocket();
    first.text("2probe");
    assert.equal(await first.frame(), "3probe");
    const second = await engine.websocket();
    assert.deepEqual(await second.frames(), CLOSED);
    first.text("5");
    first.text('42["message",1]');
    assert.equal(await first.frame(), '42["message-back",1]');
    const third = await engine.websocket();
    assert.deepEqual(await third.frames(), CLOSED);
    first.text('42["message",2]');
    assert.equal(await first.frame(), '42["message-back",2]');
  });

  test("a binary packet that is cut in two by the upgrade", async (t) => {
    const engine = await pollingSession(t);
    await engine.post('452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]\x1ebAQ==');
    const wire = await engine.upgraded();
    wire.binary([2]);
    const frames = [await wire.frame(), await wire.frame(), await wire.frame()];
    assert.deepEqual(frames.slice(1), ["<01>", "<02>"]);
  });
});

describe("b64 and other parameters", () => {
  test("a WebSocket client that asks for base64 gets text", async (t) => {
    const engine = new Engine(target, { query: "b64=1" });
    t.after(() => engine.close());
    const wire = await engine.websocket();
    await join(wire);
    wire.text('451-["message",{"_placeholder":true,"num":0}]');
    wire.text("bAQIDBA==");
    assert.equal(await wire.frame(), '451-["message-back",{"_placeholder":true,"num":0}]');
    assert.equal(await wire.frame(), "bAQIDBA==");
  });

  test("unknown parameters and a cache buster are ignored", async (t) => {
    const engine = new Engine(target, { query: "t=abc123&x=1&y" });
    t.after(() => engine.close());
    await engine.handshake();
    await engine.post("40");
    assert.match(await engine.next(), /^40/);
  });
});
