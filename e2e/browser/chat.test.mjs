// The chat example as its users meet it: the page in a real browser, and the
// server behind it. Two tabs speak to each other with all eight moves, and a
// third listens for what is none of its business.
//
//   node --test browser/chat.test.mjs
//
// CHAT_SERVER  command line of the server (default: target/debug/chat)
// PAGE_PORT    where the page is served (default 5173; 0: any free port)
// CHROMIUM     the browser (default /usr/bin/chromium)

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ARTIFACTS, freePort, missing, pagePort, startBrowser, startPage, startServer } from "./stage.mjs";

const PATIENCE = 10_000;
const EVENTS = [
  "message",
  "send-message",
  "broadcast-message",
  "client-data",
  "join-room",
  "send-message-to-room",
  "send-message-in-room",
  "send-message-to-ourgroup",
];

/** One tab with the page in it. */
class Tab {
  constructor(name, page) {
    this.name = name;
    this.page = page;
    this.crashes = [];
    page.setDefaultTimeout(PATIENCE);
    page.on("pageerror", (error) => this.crashes.push(error.message));
  }

  get = (testId) => this.page.getByTestId(testId);
  text = (testId) => this.get(testId).textContent();
  /** A tab in the background draws one frame a second, and a click waits for a frame. */
  async click(target) {
    await this.page.bringToFront();
    await (typeof target === "string" ? this.get(target) : target).click();
  }

  fill = (testId, value) => this.get(testId).fill(value);

  /** Fills the fields of a move and sends it: `tab.send("message", { text: "hi" })`. */
  async send(event, fields = {}, button = "send") {
    for (const [name, value] of Object.entries(fields)) await this.fill(`${event}-${name}`, value);
    await this.click(`${event}-${button}`);
  }

  /** Everything on the timeline, oldest first. */
  entries() {
    return this.page.evaluate(() =>
      [...document.querySelectorAll('[data-testid="timeline-entry"]')]
        .map(({ dataset }) => ({ direction: dataset.direction, event: dataset.event, args: JSON.parse(dataset.args) }))
        .reverse(),
    );
  }

  /** The entries of one direction in which `word` occurs. */
  async about(word, direction = "in") {
    const entries = await this.entries();
    return entries.filter((entry) => entry.direction === direction && JSON.stringify(entry.args).includes(word));
  }

  async hears(word, direction = "in") {
    await until(async () => (await this.about(word, direction)).length > 0, async () => {
      return `${this.name} never had "${word}" (${direction}). Its timeline:\n${JSON.stringify(await this.entries(), null, 1)}`;
    });
  }

  async state(expected) {
    await until(async () => (await this.text("connection-state")) === expected, async () => {
      const state = await this.text("connection-state");
      const trouble = await this.text("error");
      return `${this.name} is "${state}", not "${expected}". ${trouble.trim()}`;
    });
  }
}

async function until(holds, complaint) {
  for (const end = Date.now() + PATIENCE; !(await holds()); await sleep(25)) {
    if (Date.now() > end) assert.fail(await complaint());
  }
}

const lacking = missing();

test("what the browser test needs is installed", () => {
  if (lacking.length) assert.fail(lacking.join("\n"));
});

describe("the chat page", { timeout: 180_000, skip: lacking.length > 0 }, () => {
  let browser, server, page, port, serverPort, origin, serverUrl;
  let alice, bob, carol;
  const stops = [];
  const abroad = [];
  let words = 0;

  /** A word that occurs nowhere else, to recognise a message by. */
  const word = (stem) => `${stem} #${++words}`;

  const open = async (name, context, url = origin) => {
    const tab = new Tab(name, await context.newPage());
    await tab.page.goto(url);
    return tab;
  };

  const newContext = async () => {
    const context = await browser.newContext({ viewport: { width: 1440, height: 1160 } });
    context.on("request", (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (protocol !== "data:" && hostname !== "localhost") abroad.push(request.url());
    });
    return context;
  };

  /**
   * Waits until those in `by` have `text` as `event` with `args`; then lets
   * everybody hear a later message, by which time anything misdirected would
   * have arrived too, and checks that it came once to these and to no other.
   */
  const arrives = async (text, event, args, { by }) => {
    const all = [alice, bob, carol];
    for (const tab of by) await tab.hears(text);
    const fence = word("fence");
    await alice.send("message", { text: fence });
    for (const tab of all) await tab.hears(fence);
    for (const tab of all) {
      const expected = by.includes(tab) ? [{ direction: "in", event, args }] : [];
      assert.deepEqual(await tab.about(text), expected, `what ${tab.name} received of "${text}"`);
    }
  };

  before(async () => {
    await mkdir(ARTIFACTS, { recursive: true });
    port = await pagePort();
    serverPort = await freePort();
    origin = `http://localhost:${port}`;
    serverUrl = `http://localhost:${serverPort}`;
    server = await startServer({ port: serverPort, origin });
    page = await startPage({ port, server: serverUrl });
    browser = await startBrowser();
    const context = await newContext();
    [alice, bob, carol] = await Promise.all(["alice", "bob", "carol"].map((name) => open(name, context)));
    await bob.page.emulateMedia({ colorScheme: "dark" });
  });

  after(async () => {
    await browser?.close();
    for (const stop of [...stops, page?.stop, server?.stop]) await stop?.();
  });

  test("connects, and says so", async () => {
    for (const tab of [alice, bob, carol]) {
      await tab.state("connected");
      assert.match(await tab.text("socket-id"), /^[\w-]{20}$/);
      assert.equal(await tab.text("server-url"), serverUrl);
      await until(async () => (await tab.text("transport")) === "websocket", async () => `${tab.name} stayed on ${await tab.text("transport")}`);
      assert.equal(await tab.get("error").isVisible(), false);
    }
    const ids = await Promise.all([alice, bob, carol].map((tab) => tab.text("socket-id")));
    assert.equal(new Set(ids).size, 3, `three different ids: ${ids}`);
  });

  test("shows the eight moves, each with its line of code and labelled fields", async () => {
    for (const event of EVENTS) {
      const card = await alice.text(`move-${event}`);
      assert.ok(card.includes(`socket.emit("${event}"`), `the card of ${event} shows its code: ${card}`);
    }
    const unlabelled = await alice.page.evaluate(() => [...document.querySelectorAll("input")].filter((input) => input.labels.length !== 1).map((input) => input.id));
    assert.deepEqual(unlabelled, []);
    assert.equal(await alice.page.getByRole("button", { name: "Send", exact: true }).count(), 6);
  });

  test("1 message: to everyone, the sender included", async () => {
    const text = word("to all");
    await alice.send("message", { text });
    await arrives(text, "message", [text], { by: [alice, bob, carol] });
    assert.deepEqual(await alice.about(text, "out"), [{ direction: "out", event: "message", args: [text] }]);
  });

  test("1 message, acknowledged: to everyone, and the reply to the sender", async () => {
    const text = word("to all, with reply");
    await bob.send("message", { text }, "ack-send");
    await until(async () => (await bob.get("message-ack-reply").getAttribute("data-state")) === "done", () => bob.text("message-ack-reply"));
    assert.equal(await bob.text("message-ack-reply"), '"message received"');
    assert.deepEqual(await bob.about("message received", "ack"), [{ direction: "ack", event: "message", args: ["message received"] }]);
    assert.deepEqual(await alice.about("message received", "ack"), []);
    await arrives(text, "message", [text], { by: [alice, bob, carol] });
  });

  test("2 send-message: to one other, by id", async () => {
    const text = word("for bob");
    await alice.send("send-message", { text, id: await bob.text("socket-id") });
    await arrives(text, "received-message", [text], { by: [bob] });
  });

  test("2 send-message: the ids of other tabs are offered", async () => {
    const id = await alice.text("socket-id");
    await bob.click(bob.get("peer").filter({ hasText: id }));
    assert.equal(await bob.get("send-message-id").inputValue(), id);
    const text = word("for alice");
    await bob.send("send-message", { text });
    await arrives(text, "received-message", [text], { by: [alice] });
  });

  test("2 send-message without an id: the server acknowledges, nobody hears it", async () => {
    const text = word("for the server");
    await alice.fill("send-message-id", "");
    await alice.send("send-message", { text }, "ack-send");
    await alice.hears("message received", "ack");
    assert.equal(await alice.text("send-message-ack-reply"), '"message received"');
    await arrives(text, "received-message", [text], { by: [] });
  });

  test("3 broadcast-message: to everyone but the sender", async () => {
    const text = word("to the others");
    await bob.send("broadcast-message", { text });
    await arrives(text, "message", [text], { by: [alice, carol] });
  });

  test("4 client-data: a string, a number and an object come back to the sender", async () => {
    const letter = word("ü & <b>");
    const object = { fish: ["sockeye", "coho"], deep: { km: 1448.5, home: true, gone: null } };
    await alice.send("client-data", { letter, number: "-0.5", object: JSON.stringify(object) });
    await arrives(letter, "client-data-received", [letter, -0.5, object], { by: [alice] });
    assert.deepEqual(await alice.about(letter, "out"), [{ direction: "out", event: "client-data", args: [letter, -0.5, object] }]);
  });

  test("4 client-data: what is not JSON is refused in words and not sent", async () => {
    const letter = word("never sent");
    await bob.send("client-data", { letter, number: "1", object: "{nope" });
    assert.match(await bob.text("client-data-error"), /not valid JSON/);
    await bob.send("client-data", { number: "one", object: "{}" });
    assert.match(await bob.text("client-data-error"), /must be a number/);
    assert.deepEqual(await bob.about(letter, "out"), []);
    await bob.send("client-data", { letter: word("sent"), number: "1", object: "{}" });
    assert.equal(await bob.get("client-data-error").isVisible(), false);
  });

  test("6 send-message-to-room: nobody hears it while the room is empty", async () => {
    const room = word("empty");
    const text = word("echo");
    await alice.send("send-message-to-room", { room, text });
    await arrives(text, "received-message", [text], { by: [] });
  });

  test("5 and 6 join-room, send-message-to-room: to the room without the sender", async () => {
    await alice.send("join-room", { room: "river" });
    await bob.send("join-room", { room: "river" });
    assert.deepEqual(await bob.get("room").allTextContents(), ["river"]);

    // Of a member: to the other member only.
    const inside = word("from inside");
    await sentAndJoined(bob, "river");
    await alice.send("send-message-to-room", { room: "river", text: inside });
    await arrives(inside, "received-message", [inside], { by: [bob] });

    // Of a stranger: to both members.
    const outside = word("from outside");
    await carol.send("send-message-to-room", { room: "river", text: outside });
    await arrives(outside, "received-message", [outside], { by: [alice, bob] });
  });

  test("7 send-message-in-room: to the room with the sender", async () => {
    const text = word("all of us");
    await bob.send("send-message-in-room", { room: "river", text });
    await arrives(text, "received-message", [text], { by: [alice, bob] });
  });

  test("8 send-message-to-ourgroup: to ourgroup without the sender", async () => {
    const early = word("too early");
    await alice.send("send-message-to-ourgroup", { text: early });
    await arrives(early, "received-message", [early], { by: [] });

    for (const tab of [alice, bob]) {
      await tab.click("send-message-to-ourgroup-join");
      await sentAndJoined(tab, "ourgroup");
    }
    const text = word("our group");
    await alice.send("send-message-to-ourgroup", { text });
    await arrives(text, "received-message", [text], { by: [bob] });
  });

  /** `join-room` has no reply: wait until the one who joined hears the room. */
  async function sentAndJoined(tab, room) {
    const text = word(`joined ${room}`);
    await until(async () => {
      await tab.send("send-message-in-room", { room, text });
      await sleep(50);
      return (await tab.about(text)).length > 0;
    }, () => `${tab.name} asked to join ${room} and does not hear it`);
  }

  test("looks like something: a picture of each", async () => {
    // For the picture: a short conversation, and the fields as they come.
    const ids = { alice: await alice.text("socket-id"), bob: await bob.text("socket-id") };
    const say = async (tab, event, fields, listener, button) => {
      await tab.send(event, fields, button);
      await listener.hears(fields.text ?? fields.letter);
    };
    for (const tab of [alice, bob, carol]) await tab.click("clear-timeline");
    await say(alice, "message", { text: "The run is on!" }, bob);
    await say(bob, "client-data", { letter: "a", number: "42", object: '{"km": 1448}' }, bob);
    await say(alice, "client-data", { letter: "a", number: "42", object: '{"km": 1448}' }, alice);
    await say(bob, "broadcast-message", { text: "Upstream, all of you" }, alice);
    await say(alice, "send-message", { text: "Just between us", id: ids.bob }, bob);
    await say(bob, "send-message", { text: "Understood", id: ids.alice }, alice);
    await say(bob, "send-message-to-room", { room: "river", text: "Anyone past the rapids?" }, alice);
    await say(alice, "send-message-in-room", { room: "river", text: "We made it" }, bob);
    await say(alice, "send-message-to-ourgroup", { text: "Hello, you lot" }, bob);
    await say(alice, "message", { text: "See you at the lake" }, bob, "ack-send");
    await alice.hears("message received", "ack");

    for (const tab of [alice, bob]) {
      await tab.page.bringToFront();
      await tab.page.evaluate(() => {
        document.activeElement?.blur();
        for (const form of document.forms) form.reset();
        scrollTo(0, 0);
      });
      await tab.page.mouse.move(1, 1);
      await sleep(400); // transitions
      await tab.page.screenshot({ path: join(ARTIFACTS, `chat-${tab.name}.png`) });
    }

    // And nothing sticks out on a phone.
    await carol.page.bringToFront();
    await carol.page.setViewportSize({ width: 390, height: 844 });
    await sleep(400);
    await carol.page.screenshot({ path: join(ARTIFACTS, "chat-carol.png") });
    const [wide, window] = await carol.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.equal(wide, window, "no sideways scrolling on a phone");
  });

  test("a page of another origin is told why it cannot connect", async () => {
    const elsewhere = await freePort();
    const foreign = `http://localhost:${elsewhere}`;
    const other = await startPage({ port: elsewhere, server: serverUrl });
    stops.push(other.stop);

    const mallory = await open("mallory", await newContext(), foreign);
    await mallory.get("error").waitFor({ state: "visible" });
    assert.equal(await mallory.get("error").getAttribute("data-kind"), "origin", await mallory.text("error"));
    assert.match(await mallory.text("error-title"), /does not accept this page’s origin/);
    const hint = await mallory.text("error-hint");
    assert.ok(hint.includes(`ORIGIN=${foreign}`) && hint.includes(serverUrl), hint);
    assert.match(await mallory.text("error-message"), /\S/);
    assert.equal(await mallory.text("connection-state"), "reconnecting");
    assert.equal(await mallory.text("socket-id"), "–");
    assert.equal(await mallory.get("message-send").isDisabled(), true);
    assert.deepEqual(mallory.crashes, []);
    await sleep(400);
    await mallory.page.screenshot({ path: join(ARTIFACTS, "chat-refused.png") });
    await mallory.page.context().close();
  });

  test("a server that goes away is missed, and found again", async () => {
    const old = await bob.text("socket-id");
    await server.stop();
    await bob.get("error").waitFor({ state: "visible" });
    assert.equal(await bob.get("error").getAttribute("data-kind"), "down", await bob.text("error"));
    assert.match(await bob.text("error-hint"), /cargo run -p chat/);
    assert.equal(await bob.get("room").count(), 0);

    server = await startServer({ port: serverPort, origin });
    for (const tab of [alice, bob, carol]) await tab.state("connected");
    assert.equal(await bob.get("error").isVisible(), false);
    assert.notEqual(await bob.text("socket-id"), old);

    const text = word("back again");
    await bob.send("message", { text });
    await arrives(text, "message", [text], { by: [alice, bob, carol] });
  });

  test("Disconnect and Connect do what they say", async () => {
    await carol.click("connection-toggle");
    await carol.state("disconnected");
    const text = word("while carol is away");
    await alice.send("message", { text });
    await bob.hears(text);
    await carol.click("connection-toggle");
    await carol.state("connected");
    assert.deepEqual(await carol.about(text), []);
  });

  test("no script failed, and nothing was asked of another machine", () => {
    for (const tab of [alice, bob, carol]) assert.deepEqual(tab.crashes, [], tab.name);
    assert.deepEqual(abroad, []);
  });
});
