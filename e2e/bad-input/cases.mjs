// Requests that no well-behaved client sends, and the odd ones that some do, each by its name.
//
// A group shares one server. A case is a function that talks to it by hand and returns what it saw, as
// JSON; `expected.json` holds what the reference said, `deviations.json` where we answer otherwise.

import { Engine, POLL_SEEN, acceptOf, frameOf, textOf, upgradeHeaders, WEBSOCKET_KEY } from "../lib/raw.mjs";
import { eventually, pause } from "../lib/wait.mjs";

// ------------------------------------------------------------------------------- what is recorded

const RECORDED = [
  "content-type", "content-encoding", "cache-control", "connection", "vary", "allow", "set-cookie", "upgrade",
  "sec-websocket-version", "sec-websocket-extensions", "sec-websocket-protocol", "x-xss-protection",
];

const withoutIds = (text) => text.replace(/(\\?"sid\\?":\\?")[A-Za-z0-9_-]{20}(\\?")/g, "$1<sid>$2");

/** What is compared of a response: status, the headers that matter, how the body ends, the body. */
export function seen(response, { sid } = {}) {
  if (response === undefined) return "connection ended without an answer";
  const headers = {};
  for (const [name, values] of Object.entries(response.headers).sort()) {
    if (RECORDED.includes(name) || name.startsWith("access-control-")) {
      headers[name] = values.join(" | ").replaceAll(sid, "<sid>");
    }
  }
  if (response.headers["sec-websocket-accept"]) {
    headers["sec-websocket-accept"] =
      response.headers["sec-websocket-accept"][0] === acceptOf(WEBSOCKET_KEY) ? "<right>" : "<wrong>";
  }
  return { status: response.status, headers, framing: response.framing, body: withoutIds(textOf(response)) };
}

/** The same, and whether the server ends the connection afterwards. */
async function seenToTheEnd(wire) {
  const answer = seen(await wire.response());
  const rest = await wire.rest();
  return { answer, then: rest?.length ? `ended after more bytes: ${rest.toString("latin1")}` : "ended" };
}

async function polling(x, options) {
  const engine = x.engine(options);
  await engine.handshake();
  return engine;
}

const openPoll = (engine, options) => engine.openPoll(options);

const alive = async (engine) => {
  const post = await engine.post("4alive?");
  if (post.status !== 200) return textOf(post) || post.status;
  return engine.next();
};

// ------------------------------------------------------------------------------------- group: http

const http = {};

for (const [name, query] of Object.entries({
  "transport missing": "?EIO=4",
  "transport empty": "?EIO=4&transport=",
  "transport unknown": "?EIO=4&transport=foo",
  "transport webtransport": "?EIO=4&transport=webtransport",
  "transport in capitals": "?EIO=4&transport=Polling",
  "transport twice, last one known": "?EIO=4&transport=foo&transport=polling",
  "transport twice, last one unknown": "?EIO=4&transport=polling&transport=foo",
  "transport percent-encoded": "?EIO=4&transport=poll%69ng",
  "transport __proto__": "?EIO=4&transport=__proto__",
  "no query at all": "",
  "an empty query": "?",
  "EIO missing": "?transport=polling",
  "EIO empty": "?EIO=&transport=polling",
  "EIO 3": "?EIO=3&transport=polling",
  "EIO 5": "?EIO=5&transport=polling",
  "EIO 04": "?EIO=04&transport=polling",
  "EIO 4.0": "?EIO=4.0&transport=polling",
  "EIO twice, last one 4": "?EIO=3&EIO=4&transport=polling",
  "EIO twice, last one 3": "?EIO=4&EIO=3&transport=polling",
  "sid unknown": "?EIO=4&transport=polling&sid=nope",
  "sid of the right form, unknown": "?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA",
  "sid empty": "?EIO=4&transport=polling&sid=",
  "sid __proto__": "?EIO=4&transport=polling&sid=__proto__",
  "sid toString": "?EIO=4&transport=polling&sid=toString",
  "sid unknown and EIO 3": "?EIO=3&transport=polling&sid=nope",
  "sid unknown and transport unknown": "?EIO=4&transport=foo&sid=nope",
  "sid unknown, transport websocket": "?EIO=4&transport=websocket&sid=nope",
  "websocket without an upgrade": "?EIO=4&transport=websocket",
  "websocket without an upgrade, EIO 3": "?EIO=3&transport=websocket",
  "a broken percent escape": "?EIO=4&transport=polling&x=%zz",
  "a handshake": "?EIO=4&transport=polling",
  "a handshake with a cache buster and b64": "?EIO=4&transport=polling&t=abc&b64=1",
})) {
  http[`GET ${name}`] = async (x) => seen(await x.engine().request({ path: x.path + query }));
}

for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]) {
  const body = ["POST", "PUT", "PATCH"].includes(method) ? "4x" : undefined;
  http[`${method} without a sid`] = async (x) =>
    seen(await x.engine().request({ method, body, path: `${x.path}?EIO=4&transport=polling` }));
  http[`${method} with an unknown sid`] = async (x) =>
    seen(await x.engine().request({ method, body, path: `${x.path}?EIO=4&transport=polling&sid=nope` }));
  if (method !== "POST") {
    http[`${method} with a sid, then the session`] = async (x) => {
      const engine = await polling(x);
      return [seen(await engine.request({ method, body, path: engine.path("polling") })), await alive(engine)];
    };
  }
}
http["POST without a sid and with EIO 3"] = async (x) =>
  seen(await x.engine().request({ method: "POST", body: "4x", path: `${x.path}?EIO=3&transport=polling` }));

for (const eio of ["3", "5", null]) {
  http[`EIO ${eio ?? "missing"} on a session of EIO 4`] = async (x) => {
    const engine = await polling(x);
    const path = engine.path("polling", { eio });
    return [seen(await engine.get({ path })), seen(await engine.post("4x", { path })), await alive(engine)];
  };
}

http["GET and POST with transport websocket on a polling session"] = async (x) => {
  const engine = await polling(x);
  const path = engine.path("websocket");
  return [seen(await engine.get({ path })), seen(await engine.post("4x", { path })), await alive(engine)];
};
http["GET and POST with transport polling on a websocket session"] = async (x) => {
  const engine = x.engine();
  const wire = await engine.websocket();
  const answers = [seen(await engine.get()), seen(await engine.post("4x"))];
  wire.text("4alive?");
  return [...answers, await wire.frame()];
};

// `é` comes as one byte: allowed, since a field value may hold bytes above 0x7f.
for (const [name, origin] of Object.entries({
  "a plain one": "http://localhost:5173", "null": "null", "no URL": "what", "empty": "", "byte e9": "http://\xe9.example",
  "control character 01": "http://\x01.example", "delete character 7f": "http://\x7f.example", "a tab": "http://a\tb",
})) {
  http[`Origin: ${name}`] = async (x) =>
    seen(await x.engine().request({ path: `${x.path}?EIO=4&transport=polling`, headers: { Origin: origin } }));
}

for (const path of [
  "/engine.io?EIO=4&transport=polling", "/engine.io/extra?EIO=4&transport=polling", "/engine.io/a/b/?EIO=4&transport=polling",
  "/engine.iofoo/?EIO=4&transport=polling", "/Engine.IO/?EIO=4&transport=polling", "//engine.io/?EIO=4&transport=polling",
  "/x/engine.io/?EIO=4&transport=polling", "/engine%2Eio/?EIO=4&transport=polling", "/?EIO=4&transport=polling",
  "/engine.io/", "/socket.io/?EIO=4&transport=polling", "/healthz", "/engine.io/#?EIO=4&transport=polling",
]) {
  http[`path ${path}`] = async (x) => seen(await x.engine().request({ path }));
}

http["HTTP/1.0"] = async (x) =>
  seenToTheEnd(x.engine().start({ path: `${x.path}?EIO=4&transport=polling`, version: "1.0" }));
http["Connection: close"] = async (x) =>
  seenToTheEnd(x.engine().start({ path: `${x.path}?EIO=4&transport=polling`, headers: { Connection: "close" } }));
http["User-Agent of Internet Explorer"] = async (x) =>
  seen(await x.engine().request({
    path: `${x.path}?EIO=4&transport=polling`,
    headers: { "User-Agent": "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko" },
  }));
http["two requests on one connection, pipelined"] = async (x) => {
  const engine = await polling(x);
  const wire = engine.wire();
  const head = (method, extra) => `${method} ${engine.path("polling")} HTTP/1.1\r\nHost: 127.0.0.1\r\n${extra}`;
  wire.send(`${head("POST", "Content-Length: 4\r\n\r\n4one")}${head("GET", "\r\n")}`);
  return [seen(await wire.response()), seen(await wire.response())];
};

// Bodies of a POST: what the POST is told, and what the next poll says.
const bodies = {
  "text that is no packet": "abc",
  "an empty body": "",
  "a type that does not exist": "7",
  "a separator alone": "\x1e",
  "a message, then garbage": "4ok\x1ezzz\x1e4after",
  "a message, an empty packet, a message": "4a\x1e\x1e4b",
  "a trailing separator": "4a\x1e",
  "a ping": "2",
  "a probe": "2probe",
  "a message, then a ping": "4a\x1e2\x1e4b",
  "a message, a close, a message": "4a\x1e1\x1e4b",
  "a close packet": "1",
  "a pong": "3",
  "an open packet": "0",
  "an upgrade packet": "5",
  "a noop": "6",
  "an empty message": "4",
  "fifty messages": Array.from({ length: 50 }, (_, i) => `4${i}`).join("\x1e"),
  "binary": "bAQIDBA==",
  "binary without padding": "bAQI",
  "binary that is not base64": "b!!!!",
  "binary, empty": "b",
  "binary in the URL alphabet": "b-_-_",
  "bytes that are not UTF-8": Buffer.from([0x34, 0xff, 0xfe]),
  "a character cut in two": Buffer.from([0x34, 0xe2, 0x82]),
  "a byte order mark": Buffer.from([0xef, 0xbb, 0xbf, 0x34, 0x61]),
  "a zero byte": "4\0a",
};
for (const [name, body] of Object.entries(bodies)) {
  http[`POST ${name}`] = async (x) => {
    const engine = await polling(x);
    const post = seen(await engine.post(body));
    // Something to hear for the sessions that live.
    await engine.post("4next");
    return [post, withoutIds(textOf(await engine.get()))];
  };
  http[`POST ${name}, with a poll pending`] = async (x) => {
    const engine = await polling(x);
    const poll = await openPoll(engine);
    const post = textOf(await engine.post(body));
    await engine.post("4next");
    // How many packets share a body is the server's choice; what comes, and in which order, is not.
    const heard = [textOf(await poll.response())];
    while (!/4next$|^\{/.test(heard.at(-1))) heard.push(await engine.next());
    return [post, heard.join("\x1e")];
  };
}

for (const type of ["application/octet-stream", "application/octet-stream; charset=x", "application/json", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded"]) {
  http[`POST with Content-Type ${type}`] = async (x) => {
    const engine = await polling(x);
    return [seen(await engine.post("4a", { headers: { "Content-Type": type } })), await alive(engine)];
  };
}
http["POST application/octet-stream with a poll pending"] = async (x) => {
  const engine = await polling(x);
  const poll = await openPoll(engine);
  const post = seen(await engine.post("4a", { headers: { "Content-Type": "application/octet-stream" } }));
  return [post, seen(await poll.response())];
};
http["POST without a length"] = async (x) => {
  const engine = await polling(x);
  const post = await engine.request({ method: "POST", path: engine.path("polling") });
  return [seen(post), await alive(engine)];
};
http["POST in chunks"] = async (x) => {
  const engine = await polling(x);
  const wire = engine.start({ method: "POST", path: engine.path("polling"), headers: { "Transfer-Encoding": "chunked" } });
  for (const piece of ["4", "ab", "c"]) {
    wire.send(`${piece.length}\r\n${piece}\r\n`);
    await pause(5);
  }
  wire.send("0\r\n\r\n");
  return [seen(await wire.response()), await engine.next()];
};
http["POST in chunks, a character cut in two"] = async (x) => {
  const engine = await polling(x);
  const wire = engine.start({ method: "POST", path: engine.path("polling"), headers: { "Transfer-Encoding": "chunked" } });
  for (const piece of [[0x34, 0xe2, 0x82], [0xac]]) {
    wire.send(Buffer.concat([Buffer.from(`${piece.length}\r\n`), Buffer.from(piece), Buffer.from("\r\n")]));
    await pause(5);
  }
  wire.send("0\r\n\r\n");
  return [seen(await wire.response()), await engine.next()];
};

// The limit of this group is 1,000 bytes.
http["POST at the limit"] = async (x) => {
  const engine = await polling(x);
  return [seen(await engine.post("4".padEnd(1000, "x"))), (await engine.next()).length];
};
http["POST over the limit, length announced"] = async (x) => {
  const engine = await polling(x);
  return [seen(await engine.post("4".padEnd(1001, "x"))), await alive(engine)];
};
http["POST over the limit, in chunks"] = async (x) => {
  const engine = await polling(x);
  const wire = engine.start({ method: "POST", path: engine.path("polling"), headers: { "Transfer-Encoding": "chunked" } });
  for (let i = 0; i < 3; i++) wire.send(`1f4\r\n${"4".padEnd(500, "x")}\r\n`);
  wire.send("0\r\n\r\n");
  return [seen(await wire.response()), await alive(engine)];
};
http["POST over the limit in bytes, not in characters"] = async (x) => {
  const engine = await polling(x);
  return [seen(await engine.post(`4${"€".repeat(400)}`)), await alive(engine)];
};
http["POST over the limit, the connection goes on"] = async (x) => {
  const engine = await polling(x);
  const wire = engine.start({ method: "POST", path: engine.path("polling"), body: "4".padEnd(1001, "x") });
  const first = seen(await wire.response());
  wire.send(`POST ${engine.path("polling")} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\n\r\n4ok`);
  return [first, seen(await wire.response()), await engine.next()];
};
http["POST over the limit with a poll pending"] = async (x) => {
  const engine = await polling(x);
  const poll = await openPoll(engine);
  const post = seen(await engine.post("4".padEnd(1001, "x")));
  await engine.post("4alive");
  return [post, textOf(await poll.response())];
};

http["two GETs at once"] = async (x) => {
  const engine = await polling(x);
  const first = await openPoll(engine);
  const second = await engine.get();
  return [seen(await first.response()), seen(second), seen(await engine.get())];
};
http["two POSTs at once"] = async (x) => {
  const engine = await polling(x);
  const first = engine.start({ method: "POST", path: engine.path("polling"), headers: { "Content-Length": 10 } });
  first.send("4abc");
  await pause(20);
  const second = await engine.post("4x");
  return [await seenToTheEnd(first), seen(second), seen(await engine.get())];
};
http["two POSTs at once with a poll pending"] = async (x) => {
  const engine = await polling(x);
  const poll = await openPoll(engine);
  const first = engine.start({ method: "POST", path: engine.path("polling"), headers: { "Content-Length": 10 } });
  first.send("4abc");
  await pause(20);
  const second = await engine.post("4x");
  return [seen(await poll.response()), await seenToTheEnd(first), seen(second)];
};
http["GET aborted, then another one"] = async (x) => {
  const engine = await polling(x);
  const poll = await openPoll(engine);
  poll.destroy();
  await eventually(async () => (await engine.post(POLL_SEEN)).status === 400, "session gone");
  return seen(await engine.get());
};
http["POST aborted, then a GET"] = async (x) => {
  const engine = await polling(x);
  const post = engine.start({ method: "POST", path: engine.path("polling"), headers: { "Content-Length": 10 } });
  post.send("4abc");
  await pause(20);
  post.destroy();
  await eventually(async () => (await engine.request({ method: "PUT", path: engine.path("polling") })).status === 400, "session gone");
  return seen(await engine.get());
};
http["POST aborted with a poll pending"] = async (x) => {
  const engine = await polling(x);
  const poll = await openPoll(engine);
  const post = engine.start({ method: "POST", path: engine.path("polling"), headers: { "Content-Length": 10 } });
  post.send("4abc");
  await pause(20);
  post.destroy();
  return [seen(await poll.response()), seen(await engine.get())];
};
http["JSONP: handshake, poll and post"] = async (x) => {
  const engine = x.engine({ query: "j=12" });
  const hello = await engine.request({ path: engine.path("polling") });
  engine.sid = /sid\\":\\"([\w-]{20})/.exec(textOf(hello))?.[1];
  if (!engine.sid) return [seen(hello)];
  const post = await engine.post(`d=${encodeURIComponent("4line\\nbreak \\\\n \u2028 \"quoted\"")}`, {
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
  });
  return [seen(hello), seen(post), seen(await engine.get())];
};
http["JSONP: an index with other characters"] = async (x) =>
  seen(await x.engine().request({ path: `${x.path}?EIO=4&transport=polling&j=1;alert(2)` }));

// ---------------------------------------------------------------------------------- group: upgrade

const upgrade = {};

const refusedUpgrade = async (x, request) => seenToTheEnd(x.engine().start(request));

for (const [name, query] of Object.entries({
  "sid unknown": "?EIO=4&transport=websocket&sid=nope",
  "sid __proto__": "?EIO=4&transport=websocket&sid=__proto__",
  "transport missing": "?EIO=4",
  "transport unknown": "?EIO=4&transport=foo",
  "transport webtransport": "?EIO=4&transport=webtransport",
})) {
  upgrade[name] = (x) => refusedUpgrade(x, { path: x.path + query, headers: upgradeHeaders() });
}

for (const [name, eio] of [["EIO 3", "3"], ["EIO missing", null], ["EIO 5", "5"]]) {
  upgrade[`${name}, new session`] = (x) =>
    refusedUpgrade(x, { path: x.engine().path("websocket", { eio }), headers: upgradeHeaders() });
  upgrade[`${name}, session of EIO 4`] = async (x) => {
    const engine = await polling(x);
    const refused = await seenToTheEnd(engine.upgrade({ eio }));
    return [refused, await alive(engine)];
  };
}

upgrade["a new session"] = async (x) => {
  const wire = x.engine().upgrade();
  return [seen(await wire.response()), withoutIds(await wire.frame())];
};
upgrade["with extensions and protocols asked for"] = async (x) => {
  const wire = x.engine().upgrade({
    headers: { "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits", "Sec-WebSocket-Protocol": "chat, superchat" },
  });
  return seen(await wire.response());
};
upgrade["transport polling"] = async (x) => {
  const wire = x.engine().start({ path: `${x.path}?EIO=4&transport=polling`, headers: upgradeHeaders() });
  const response = await wire.response();
  return [seen(response), response.status === 101 ? await wire.frames() : []];
};

for (const [name, headers] of Object.entries({
  "Sec-WebSocket-Key missing": { "Sec-WebSocket-Key": null },
  "Sec-WebSocket-Key too short": { "Sec-WebSocket-Key": "AQIDBA==" },
  "Sec-WebSocket-Key not base64": { "Sec-WebSocket-Key": "!!!!!!!!!!!!!!!!!!!!!!==" },
  "Sec-WebSocket-Version missing": { "Sec-WebSocket-Version": null },
  "Sec-WebSocket-Version 12": { "Sec-WebSocket-Version": "12" },
  "Sec-WebSocket-Version not a number": { "Sec-WebSocket-Version": "x" },
  "Upgrade h2c": { Upgrade: "h2c" },
  "Upgrade in capitals": { Upgrade: "WebSocket" },
  "Connection keep-alive, Upgrade": { Connection: "keep-alive, Upgrade" },
  "Sec-WebSocket-Protocol malformed": { "Sec-WebSocket-Protocol": "a,,b" },
  "Sec-WebSocket-Extensions malformed": { "Sec-WebSocket-Extensions": "foo=\"" },
})) {
  upgrade[name] = async (x) => {
    const wire = x.engine().upgrade({ headers });
    const answer = seen(await wire.response());
    return answer.status === 101 ? answer : { answer, then: (await wire.rest())?.toString("latin1") || "ended" };
  };
}
upgrade["Upgrade without Connection"] = async (x) => seen(await x.engine().upgrade({ headers: { Connection: null } }).response());
upgrade["Sec-WebSocket-Key malformed for a session, which lives on"] = async (x) => {
  const engine = await polling(x);
  const refused = await seenToTheEnd(engine.upgrade({ headers: { "Sec-WebSocket-Key": "x" } }));
  return [refused, await alive(engine)];
};
upgrade["POST with an upgrade, new session"] = (x) =>
  refusedUpgrade(x, { method: "POST", path: x.engine().path("websocket"), headers: upgradeHeaders() });
upgrade["POST with an upgrade, known session"] = async (x) => {
  const engine = await polling(x);
  const refused = await refusedUpgrade(x, { method: "POST", path: engine.path("websocket"), headers: upgradeHeaders() });
  return [refused, await alive(engine)];
};
upgrade["Origin with a byte that is not allowed"] = (x) =>
  refusedUpgrade(x, { path: x.engine().path("websocket"), headers: upgradeHeaders({ Origin: "http://\x7f.example" }) });
upgrade["another path"] = async (x) => seen(await x.engine().start({ path: "/elsewhere", headers: upgradeHeaders() }).response());

const candidates = {
  "2bad": (wire) => wire.text("2bad"),
  "2": (wire) => wire.text("2"),
  "3probe": (wire) => wire.text("3probe"),
  "4message": (wire) => wire.text("4message"),
  "6": (wire) => wire.text("6"),
  "0": (wire) => wire.text("0"),
  "1": (wire) => wire.text("1"),
  "xyz": (wire) => wire.text("xyz"),
  "an empty frame": (wire) => wire.text(""),
  "a binary frame": (wire) => wire.binary([1, 2]),
  "an unmasked frame": (wire) => wire.send(frameOf(1, Buffer.from("2probe"), { masked: false })),
  "a frame over the limit": (wire) => wire.text("4".padEnd(1001, "x")),
};
for (const [name, speak] of Object.entries(candidates)) {
  upgrade[`candidate says ${name}, the session lives on`] = async (x) => {
    const engine = await polling(x);
    const wire = await engine.websocket();
    speak(wire);
    return [await wire.frames(), await alive(engine)];
  };
}
upgrade["candidate says 5 without a probe"] = async (x) => {
  const engine = await polling(x);
  const wire = await engine.websocket();
  wire.text("5");
  wire.text("4hello");
  return [await wire.frame(), seen(await engine.get())];
};
upgrade["candidate probes twice"] = async (x) => {
  const engine = await polling(x);
  const wire = await engine.websocket();
  wire.text("2probe");
  wire.text("2probe");
  const answers = [await wire.frame(), await wire.frame()];
  wire.text("5");
  wire.text("4hello");
  return [...answers, await wire.frame()];
};
upgrade["a poll that comes while the probe is on"] = async (x) => {
  const engine = await polling(x);
  const wire = await engine.websocket();
  wire.text("2probe");
  return [await wire.frame(), await engine.next(), await engine.next()];
};
upgrade["5 while a poll is pending"] = async (x) => {
  const engine = await polling(x);
  const poll = await openPoll(engine);
  const wire = await engine.websocket();
  wire.text("2probe");
  wire.text("5");
  wire.text("4hello");
  return [await wire.frame(), await wire.frame(), seen(await poll.response())];
};
upgrade["GET and POST after the upgrade"] = async (x) => {
  const engine = await polling(x);
  const wire = await engine.upgraded();
  wire.text("4hello");
  const answers = [await wire.frame(), seen(await engine.get()), seen(await engine.post("4x"))];
  wire.text("4again");
  return [...answers, await wire.frame()];
};
upgrade["a second WebSocket while the first one probes"] = async (x) => {
  const engine = await polling(x);
  const first = await engine.websocket();
  first.text("2probe");
  const probed = await first.frame();
  const second = engine.upgrade();
  const answer = [seen(await second.response()), await second.frames()];
  first.text("5");
  first.text("4hello");
  return [probed, ...answer, await first.frame()];
};
upgrade["a second WebSocket for an upgraded session"] = async (x) => {
  const engine = await polling(x);
  const first = await engine.upgraded();
  first.text("4hello");
  const before = await first.frame();
  const second = engine.upgrade();
  const answer = [seen(await second.response()), await second.frames()];
  first.text("4again");
  return [before, ...answer, await first.frame()];
};
upgrade["a WebSocket for a session that began as one"] = async (x) => {
  const engine = x.engine();
  const first = await engine.websocket();
  const second = engine.upgrade();
  const answer = seen(await second.response());
  second.text("2probe");
  const probed = await second.frame();
  if (probed !== "close:1005") {
    second.text("5");
    second.text("4hello");
    return [answer, probed, await second.frame(), await first.frames()];
  }
  first.text("4hello");
  return [answer, probed, await first.frame()];
};
upgrade["a candidate that is only opened; the session lives on, closes, and takes it along"] = async (x) => {
  const engine = await polling(x);
  const wire = await engine.websocket();
  const echo = await alive(engine);
  const post = textOf(await engine.post("1"));
  return [echo, post, await wire.frames()];
};

// Frames on an open session: what comes back until the connection ends.
const longText = Buffer.from("4".padEnd(1001, "x"));
for (const [name, bytes] of Object.entries({
  "text that is no packet": frameOf(1, Buffer.from("xyz")),
  "an empty text frame": frameOf(1, Buffer.alloc(0)),
  "a ping packet": frameOf(1, Buffer.from("2")),
  "a text message over the limit": frameOf(1, longText),
  "a binary message over the limit": frameOf(2, longText),
  "fragments over the limit": Buffer.concat([frameOf(1, longText.subarray(0, 600), { first: 1 }), frameOf(0, longText.subarray(0, 600))]),
  "an unmasked frame": frameOf(1, Buffer.from("4x"), { masked: false }),
  "a reserved bit": frameOf(1, Buffer.from("4x"), { first: 0xc1 }),
  "an unknown opcode": frameOf(3, Buffer.from("4x")),
  "a continuation of nothing": frameOf(0, Buffer.from("4x")),
  "a new message inside a fragmented one": Buffer.concat([frameOf(1, Buffer.from("4a"), { first: 1 }), frameOf(1, Buffer.from("4b"))]),
  "text that is not UTF-8": frameOf(1, Buffer.from([0x34, 0xff, 0xfe])),
  "a fragmented ping": frameOf(9, Buffer.alloc(0), { first: 0x09 }),
  "a ping that is too long": frameOf(9, Buffer.alloc(126)),
  "a close with code 1000": frameOf(8, Buffer.from([0x03, 0xe8])),
  "a close with code 4000 and a reason": frameOf(8, Buffer.concat([Buffer.from([0x0f, 0xa0]), Buffer.from("bye")])),
  "a close without a code": frameOf(8, Buffer.alloc(0)),
  "a close with a code that may not be sent": frameOf(8, Buffer.from([0x03, 0xed])),
  "a close with one byte": frameOf(8, Buffer.from([0x03])),
  "a length that no memory could hold": Buffer.from([0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
  "a length above 2^63": Buffer.from([0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
})) {
  upgrade[`frame: ${name}`] = async (x) => {
    const engine = x.engine();
    const wire = await engine.websocket();
    wire.send(bytes);
    const frames = await wire.frames();
    await eventually(async () => (await engine.get()).status === 400, "session gone");
    return frames;
  };
}
for (const [name, bytes, count] of [
  ["a WebSocket ping", frameOf(9, Buffer.from("x")), 2],
  ["a WebSocket pong nobody asked for", frameOf(10, Buffer.from("x")), 1],
  ["fragments of one message, a ping between them", Buffer.concat([frameOf(1, Buffer.from("4a"), { first: 1 }), frameOf(9, Buffer.alloc(0)), frameOf(0, Buffer.from("b"))]), 3],
  ["an empty binary message", frameOf(2, Buffer.alloc(0)), 2],
]) {
  upgrade[`frame: ${name}`] = async (x) => {
    const wire = await x.engine().websocket();
    wire.send(bytes);
    wire.text("4after");
    const frames = [];
    for (let i = 0; i < count; i++) frames.push(await wire.frame());
    return frames;
  };
}

// ------------------------------------------------------------------------------------ group: close

// The server of this group greets, and closes the session when it is told `close`.
const close = {
  "with a poll pending": async (x) => {
    const engine = await polling(x);
    const greeting = await engine.next();
    const poll = await openPoll(engine);
    return [greeting, textOf(await engine.post("4close")), seen(await poll.response()), seen(await engine.get())];
  },
  "without a poll: the next one is told": async (x) => {
    const engine = await polling(x);
    const greeting = await engine.next();
    return [greeting, textOf(await engine.post("4close")), seen(await engine.get()), seen(await engine.get())];
  },
  "with data waiting: it comes first": async (x) => {
    const engine = await polling(x);
    const post = textOf(await engine.post("4close"));
    const texts = [await engine.next()];
    const next = await engine.get();
    return [post, ...texts, seen(next)];
  },
  "with more said in the same body": async (x) => {
    const engine = await polling(x);
    await engine.next();
    const post = textOf(await engine.post("4respond\x1e4close\x1e4respond"));
    return [post, await engine.next(), await engine.next(), await engine.next()];
  },
  "a POST while the close waits": async (x) => {
    const engine = await polling(x);
    await engine.next();
    await engine.post("4close");
    return [seen(await engine.post("4respond")), await engine.next(), seen(await engine.post("4respond"))];
  },
  "a close packet while the close waits": async (x) => {
    const engine = await polling(x);
    await engine.next();
    await engine.post("4close");
    return [seen(await engine.post("1")), seen(await engine.get())];
  },
  "an upgrade while the close waits": async (x) => {
    const engine = await polling(x);
    await engine.next();
    await engine.post("4close");
    const wire = await engine.websocket();
    wire.text("2probe");
    const probed = await wire.frame();
    wire.text("5");
    return [probed, await wire.frames(), seen(await engine.get())];
  },
  "on WebSocket": async (x) => {
    const engine = x.engine();
    const wire = await engine.websocket();
    const greeting = await wire.frame();
    wire.text("4respond");
    wire.text("4close");
    wire.text("4respond");
    return [greeting, await wire.frames(), seen(await engine.get())];
  },
};

// ------------------------------------------------------------------------- groups: other settings

const ask = (request) => async (x) => seen(await x.engine().request({ path: `${x.path}?EIO=4&transport=polling`, ...request }));

// The requests say `Host: 127.0.0.1`, so that is what makes an origin the server's own.
const ORIGINS = { none: undefined, own: "http://127.0.0.1", allowed: "http://a.example", "another allowed": "http://b.example", foreign: "http://evil.example" };

function corsCases() {
  const cases = {};
  for (const [name, origin] of Object.entries(ORIGINS)) {
    const headers = origin ? { Origin: origin } : {};
    cases[`GET, origin ${name}`] = ask({ headers });
    cases[`error, origin ${name}`] = ask({ path: "/engine.io/?EIO=4&transport=foo", headers });
    cases[`poll and POST, origin ${name}`] = async (x) => {
      const engine = await polling(x);
      return [seen(await engine.post("4x", { headers })), seen(await engine.get({ headers }))];
    };
    cases[`POST over the limit, origin ${name}`] = async (x) =>
      seen(await (await polling(x)).post("4".padEnd(1001, "x"), { headers }));
    cases[`preflight, origin ${name}`] = ask({
      method: "OPTIONS",
      headers: { ...headers, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-custom" },
    });
    cases[`websocket, origin ${name}`] = async (x) => seen(await x.engine().upgrade({ headers }).response());
    cases[`websocket refused, origin ${name}`] = async (x) =>
      seen(await x.engine().start({ path: `${x.path}?EIO=4&transport=websocket&sid=nope`, headers: upgradeHeaders(headers) }).response());
  }
  cases["preflight that names no headers"] = ask({ method: "OPTIONS", headers: { Origin: ORIGINS.allowed, "Access-Control-Request-Method": "POST" } });
  cases["OPTIONS that is no preflight"] = ask({ method: "OPTIONS" });
  cases["preflight of a session"] = async (x) => {
    const engine = await polling(x);
    const headers = { Origin: ORIGINS.allowed, "Access-Control-Request-Method": "POST" };
    return [seen(await engine.request({ method: "OPTIONS", path: engine.path("polling"), headers })), await alive(engine)];
  };
  cases["preflight of a path without parameters"] = ask({ method: "OPTIONS", path: "/engine.io/", headers: { Origin: ORIGINS.allowed, "Access-Control-Request-Method": "GET" } });
  cases["preflight of another path"] = ask({ method: "OPTIONS", path: "/elsewhere", headers: { Origin: ORIGINS.allowed, "Access-Control-Request-Method": "GET" } });
  cases["two GETs at once"] = async (x) => {
    const engine = await polling(x);
    const headers = { Origin: ORIGINS.allowed };
    const first = await openPoll(engine, { headers });
    const second = await engine.get({ headers });
    return [seen(await first.response()), seen(second)];
  };
  return cases;
}

const cookie = {
  "on the handshake": async (x) => {
    const engine = x.engine();
    const response = await engine.handshake();
    return [seen(response, engine), seen(await engine.post("4x"), engine), seen(await engine.get(), engine)];
  },
  "not on a WebSocket": async (x) => seen(await x.engine().upgrade().response()),
  "not on an error": ask({ path: "/engine.io/?EIO=4&transport=foo" }),
  "a cookie that the client sends changes nothing": async (x) => {
    const engine = x.engine();
    await engine.handshake({ headers: { Cookie: "io=AAAAAAAAAAAAAAAAAAAA" } });
    return (await engine.get({ headers: { Cookie: "io=AAAAAAAAAAAAAAAAAAAA" }, path: `${x.path}?EIO=4&transport=polling` })).status;
  },
};

const compression = {};
for (const [name, encoding] of Object.entries({
  "gzip": "gzip", "deflate": "deflate", "gzip, deflate, br": "gzip, deflate, br", "br": "br", "identity": "identity", "none": undefined,
  "anything": "*", "gzip refused": "gzip;q=0", "deflate preferred": "gzip;q=0.5, deflate;q=0.9", "garbage": ";;,,q=",
})) {
  const headers = encoding === undefined ? {} : { "Accept-Encoding": encoding };
  compression[`2,000 bytes, Accept-Encoding ${name}`] = async (x) => {
    const engine = await polling(x);
    await engine.post("4".padEnd(2000, "x"));
    const { body, ...rest } = seen(await engine.get({ headers }));
    return { ...rest, length: body.length };
  };
}
for (const length of [1023, 1024]) {
  compression[`${length} bytes`] = async (x) => {
    const engine = await polling(x);
    await engine.post("4".padEnd(length, "x"));
    const { body, ...rest } = seen(await engine.get({ headers: { "Accept-Encoding": "gzip" } }));
    return { ...rest, length: body.length };
  };
}

const denied = {
  "polling": ask({ path: "/engine.io/?EIO=4&transport=polling&deny=1" }),
  "polling with EIO 3 as well": ask({ path: "/engine.io/?EIO=3&transport=polling&deny=1" }),
  "POST": ask({ method: "POST", body: "4x", path: "/engine.io/?EIO=4&transport=polling&deny=1" }),
  "websocket": (x) => refusedUpgrade(x, { path: "/engine.io/?EIO=4&transport=websocket&deny=1", headers: upgradeHeaders() }),
  "not asked for a known session": async (x) => {
    const engine = await polling(x);
    return seen(await engine.post("4x", { path: `${engine.path("polling")}&deny=1` }));
  },
};

// What a server for 2.x clients says to both kinds of clients.
const eio3 = {
  "handshake, EIO 3": ask({ path: "/engine.io/?EIO=3&transport=polling" }),
  "handshake, EIO missing": ask({ path: "/engine.io/?transport=polling" }),
  "handshake, EIO 5": ask({ path: "/engine.io/?EIO=5&transport=polling" }),
  "handshake, EIO 4": ask({}),
  "EIO 4 on a session of EIO 3": async (x) => {
    const engine = await polling(x, { eio: "3" });
    return seen(await engine.post("2:4x", { path: engine.path("polling", { eio: "4" }) }));
  },
  "ping": async (x) => {
    const engine = await polling(x, { eio: "3" });
    return [seen(await engine.post("1:2")), seen(await engine.get())];
  },
  "pong": async (x) => {
    const engine = await polling(x, { eio: "3" });
    return [seen(await engine.post("1:3")), seen(await engine.get())];
  },
  "messages": async (x) => {
    const engine = await polling(x, { eio: "3" });
    return [seen(await engine.post("6:4hello2:4€3:4😀")), seen(await engine.get())];
  },
  "binary in base64": async (x) => {
    const engine = await polling(x, { eio: "3", query: "b64=1" });
    return [seen(await engine.post("10:b4AQIDBA==")), seen(await engine.get())];
  },
  "binary payload": async (x) => {
    const engine = await polling(x, { eio: "3" });
    const body = Buffer.from([0, 4, 0xff, 0x34, 0xe2, 0x82, 0xac, 1, 5, 0xff, 4, 1, 2, 3, 4]);
    const post = await engine.post(body, { headers: { "Content-Type": "application/octet-stream" } });
    const back = await engine.get();
    return [seen(post), { type: back.headers["content-type"][0], body: back.body.toString("hex") }];
  },
  "a wrong length": async (x) => {
    const engine = await polling(x, { eio: "3" });
    return [seen(await engine.post("9:4hello")), seen(await engine.get())];
  },
  "a length that is no number": async (x) => {
    const engine = await polling(x, { eio: "3" });
    return [seen(await engine.post("x:4hello")), seen(await engine.get())];
  },
  "an empty body": async (x) => {
    const engine = await polling(x, { eio: "3" });
    return [seen(await engine.post("")), seen(await engine.get())];
  },
  "two GETs at once": async (x) => {
    const engine = await polling(x, { eio: "3" });
    const first = engine.poll();
    await pause(20);
    const second = await engine.get();
    return [seen(await first.response()), seen(second)];
  },
  "a close packet with a poll pending": async (x) => {
    const engine = await polling(x, { eio: "3" });
    const poll = engine.poll();
    await pause(20);
    return [seen(await engine.post("1:1")), seen(await poll.response()), seen(await engine.get())];
  },
  "websocket: ping, text, binary": async (x) => {
    const engine = x.engine({ eio: "3" });
    const wire = engine.upgrade();
    const answer = seen(await wire.response());
    const hello = withoutIds(await wire.frame());
    wire.text("2");
    wire.text("2probe");
    wire.text("4hello");
    wire.binary([4, 1, 2, 3]);
    return [answer, hello, await wire.frame(), await wire.frame(), await wire.frame(), await wire.frame()];
  },
  "upgrade": async (x) => {
    const engine = await polling(x, { eio: "3" });
    const wire = await engine.upgraded();
    wire.text("4hello");
    return [await wire.frame(), seen(await engine.get())];
  },
};

const pollingOnly = {
  "polling": ask({}),
  "websocket without an upgrade": ask({ path: "/engine.io/?EIO=4&transport=websocket" }),
  "an upgrade, new session": async (x) => seen(await x.engine().upgrade().response()),
  "an upgrade of a session, which lives on": async (x) => {
    const engine = await polling(x);
    return [seen(await engine.upgrade().response()), await alive(engine)];
  },
};

const websocketOnly = {
  "polling": ask({}),
  "polling POST": ask({ method: "POST", body: "4x" }),
  "websocket": async (x) => {
    const wire = x.engine().upgrade();
    return [seen(await wire.response()), withoutIds(await wire.frame())];
  },
};

const noUpgrades = {
  "the handshake offers none": ask({}),
  "an upgrade is still taken": async (x) => {
    const engine = await polling(x);
    const wire = await engine.upgraded();
    wire.text("4hello");
    return await wire.frame();
  },
};

const silent = { PROFILE: "engine-echo", PING_INTERVAL: "25000", PING_TIMEOUT: "20000", MAX_PAYLOAD: "1000" };

/** Groups of cases: the server's environment and the cases by name. */
export const groups = {
  http: { env: { ...silent, CORS_ORIGIN: "none" }, cases: http },
  upgrade: { env: { ...silent, CORS_ORIGIN: "none" }, cases: upgrade },
  close: { env: { ...silent, PROFILE: "engine-chatter", CORS_ORIGIN: "none" }, cases: close },
  "cors none": { env: { ...silent, CORS_ORIGIN: "none" }, cases: corsCases() },
  "cors any": { env: { ...silent, CORS_ORIGIN: "*" }, cases: corsCases() },
  "cors any with credentials": { env: { ...silent, CORS_ORIGIN: "*", CORS_CREDENTIALS: "1" }, cases: corsCases() },
  "cors one": { env: { ...silent, CORS_ORIGIN: "http://a.example" }, cases: corsCases() },
  "cors list": { env: { ...silent, CORS_ORIGIN: "http://a.example,http://b.example" }, cases: corsCases() },
  "cors list with credentials": {
    env: { ...silent, CORS_ORIGIN: "http://a.example,http://b.example", CORS_CREDENTIALS: "1" },
    cases: corsCases(),
  },
  cookie: { needs: "cookie", env: { ...silent, CORS_ORIGIN: "none", COOKIE: "io" }, cases: cookie },
  compression: { needs: "http-compression", env: { ...silent, MAX_PAYLOAD: "1000000", CORS_ORIGIN: "none" }, cases: compression },
  "compression off": { env: { ...silent, MAX_PAYLOAD: "1000000", CORS_ORIGIN: "none", HTTP_COMPRESSION: "0" }, cases: compression },
  denied: { needs: "allow-request", env: { ...silent, CORS_ORIGIN: "none", DENY_PARAM: "deny" }, cases: denied },
  eio3: { env: { ...silent, CORS_ORIGIN: "none", ALLOW_EIO3: "1" }, cases: eio3 },
  "polling only": { env: { ...silent, CORS_ORIGIN: "none", TRANSPORTS: "polling" }, cases: pollingOnly },
  "websocket only": { env: { ...silent, CORS_ORIGIN: "none", TRANSPORTS: "websocket" }, cases: websocketOnly },
  "no upgrades": { env: { ...silent, CORS_ORIGIN: "none", ALLOW_UPGRADES: "0" }, cases: noUpgrades },
};

/** Runs one case against a running server. */
export async function run(runCase, target) {
  const engines = [];
  const x = {
    path: target.path,
    target,
    engine(options) {
      const engine = new Engine(target, options);
      engines.push(engine);
      return engine;
    },
  };
  try {
    return await runCase(x);
  } finally {
    engines.forEach((engine) => engine.close());
  }
}
