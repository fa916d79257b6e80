// Profiles that speak Socket.IO. Each is a function of the reference's server; the tables of the
// interop contract say what every event does.

import { config } from "./config.mjs";

const isBinary = (value) => Buffer.isBuffer(value) || value instanceof Uint8Array || value instanceof ArrayBuffer;

/** Splits handler arguments into the payload and the acknowledgement, if one was asked for. */
function splitAck(args) {
  const last = args.at(-1);
  return typeof last === "function" ? [args.slice(0, -1), last] : [args, undefined];
}

function refusal(message, data) {
  const error = new Error(message);
  if (data !== undefined) error.data = data;
  return error;
}

export const socketProfiles = { full, protocol, rooms, client, chatter, api };

// ---------------------------------------------------------------------------------------------- full

function full(io) {
  const counters = new Map();
  const main = io.of("/");
  main.use((socket, next) => {
    next("refuse" in socket.handshake.query ? refusal("refused", { code: 7 }) : undefined);
  });
  const auth = io.of("/auth");
  auth.use((socket, next) => {
    // Version 2 knows the query only.
    const { token } = socket.handshake.auth ?? socket.handshake.query;
    const granted = token === "secret";
    next(granted ? undefined : refusal("unauthorized", { code: 401, hint: "token" }));
  });
  const lag = io.of("/lag");
  lag.use((_socket, next) => setTimeout(next, 300));

  for (const namespace of [main, io.of("/chat"), auth, lag, io.of(/^\/dyn-\d+$/), ...ownNamespaces(io)]) {
    namespace.on("connection", (socket) => fullSocket(io, counters, socket));
  }
}

/** Namespaces that a test can have for itself: `/own-0` and on, as many as OWN_NAMESPACES says. */
function ownNamespaces(io) {
  return Array.from({ length: Number(process.env.OWN_NAMESPACES ?? 0) }, (_, i) => io.of(`/own-${i}`));
}

function fullSocket(io, counters, socket) {
  // A child of a dynamic namespace is only known once a socket is there.
  const namespace = io.of(socket.nsp.name);
  // 2.x clients carry what would be their auth in the query of the handshake.
  const payload = socket.conn.protocol === 3 && !hasKeys(socket.handshake.auth) ? socket.handshake.query : socket.handshake.auth;

  socket.emit("welcome", {
    sid: socket.id,
    auth: payload,
    ns: socket.nsp.name,
    transport: socket.conn.transport.name,
    recovered: socket.recovered ?? false,
  });

  const mark = (key) => {
    const value = (counters.get(key) ?? 0) + 1;
    counters.set(key, value);
    return value;
  };
  const ackable = (event, run) =>
    socket.on(event, (...args) => {
      const [values, ack] = splitAck(args);
      const reply = run(...values);
      ack?.(reply);
    });

  socket.on("echo", (...args) => {
    const [values, ack] = splitAck(args);
    if (ack) ack(...values);
    else socket.emit("echo", ...values);
  });
  socket.on("slow", (ms, value, ack) => setTimeout(() => ack?.(value), ms));
  socket.on("noack", () => {});
  socket.on("request", (...args) => {
    const [values] = splitAck(args);
    // Version 3 knows no deadlines.
    if (!socket.timeout) return socket.emit("request", ...values, (...reply) => socket.emit("reply", ...reply));
    socket.timeout(config.ackTimeout).emit("request", ...values, (error, ...reply) => {
      if (!error) socket.emit("reply", ...reply);
    });
  });
  socket.on("request-timeout", (ms) => {
    socket.timeout(ms).emit("silent", (error) => socket.emit("request-timeout", error !== null));
  });
  socket.on("burst", (count) => {
    for (let i = 0; i < count; i++) socket.emit("tick", i);
  });
  socket.on("bin", (size) => {
    const bytes = Uint8Array.from({ length: size }, (_, i) => i % 256);
    socket.emit("bin", Buffer.from(bytes), { nested: [Buffer.from([0, 1]), "t"] });
  });
  socket.on("bin-size", (value, ack) => ack?.(isBinary(value) ? value.length : -1));
  socket.on("mark", (key) => mark(key));
  socket.on("mark-ack-on", (key, least, ack) => {
    const value = mark(key);
    if (value >= least) ack?.(value);
  });
  socket.on("peek", (key, ack) => ack?.(counters.get(key) ?? 0));
  ackable("join", (room) => (socket.join(room), true));
  ackable("leave", (room) => (socket.leave(room), true));
  socket.on("say", (room, ...args) => namespace.to(room).emit("said", ...splitAck(args)[0]));
  // Not in the contract's table: to the union of several rooms, each socket once.
  socket.on("say-rooms", (rooms, ...args) => namespace.to(rooms).emit("said", ...splitAck(args)[0]));
  socket.on("say-later", (ms, room, ...args) => {
    setTimeout(() => namespace.to(room).emit("said", ...splitAck(args)[0]), ms);
  });
  socket.on("except", (room, ...args) => namespace.except(room).emit("said", ...splitAck(args)[0]));
  socket.on("kick", () => socket.disconnect());
  socket.on("kick-all", () => socket.disconnect(true));
  socket.on("drop", () => socket.conn.close());
  socket.on("transport", (ack) => ack?.(socket.conn.transport.name));
  socket.on("handshake", (ack) => {
    const { query, auth, headers } = socket.handshake;
    ack?.({ query, auth, x: headers["x-test"] ?? null });
  });
  socket.on("rooms-of", (ack) => ack?.([...socket.rooms]));
  socket.on("count", (ack) => ack?.(namespace.sockets.size));
}

function hasKeys(object) {
  return Object.keys(object ?? {}).length > 0;
}

// ------------------------------------------------------------------------------------------ protocol

function protocol(io) {
  for (const name of ["/", "/custom"]) {
    io.of(name).on("connection", (socket) => {
      socket.emit("auth", socket.handshake.auth);
      socket.on("message", (...args) => socket.emit("message-back", ...splitAck(args)[0]));
      socket.on("message-with-ack", (...args) => {
        const [values, ack] = splitAck(args);
        ack?.(...values);
      });
      socket.on("emit-with-ack", (...args) => {
        socket.emit("emit-with-ack", ...splitAck(args)[0], (...reply) => socket.emit("emit-with-ack", ...reply));
      });
    });
  }
}

// --------------------------------------------------------------------------------------------- rooms

function rooms(io) {
  io.on("connection", (socket) => {
    const hello = `hello from ${socket.id}`;
    socket.join(["room1", "room2", "room4", "room5"]);

    const remote = async (id) => (await io.in(id).fetchSockets())[0];
    const onRemote = (event, run) =>
      socket.on(event, async (id, ack) => {
        const reply = await run(await remote(id));
        if (reply === undefined) ack?.();
        else ack?.(reply);
      });

    socket.on("broadcast", () => io.emit("broadcast", hello));
    socket.on("volatile_broadcast", () => io.volatile.emit("volatile_broadcast", hello));
    socket.on("broadcast_with_ack", async (ack) => {
      ack?.(await io.timeout(config.ackTimeout).emitWithAck("broadcast_with_ack", null));
    });
    socket.on("disconnect_socket", () => io.disconnectSockets());
    socket.on("rooms", (ack) => ack?.([...io.of("/").adapter.rooms.keys()]));
    socket.on("fetch_sockets", async (ack) => {
      const sockets = await io.fetchSockets();
      ack?.(sockets.map(({ id, nsp }) => ({ id, ns: nsp?.name ?? "/" })));
    });
    socket.on("join_room", (ack) => (io.socketsJoin("room7"), ack?.()));
    socket.on("leave_room", (ack) => (io.socketsLeave("room4"), ack?.()));
    onRemote("emit_from_remote_sock", (peer) => void peer?.emit("emit", hello));
    onRemote("emit_with_ack_from_remote_sock", (peer) => peer?.timeout(config.ackTimeout).emitWithAck("emit", hello));
    onRemote("join_room_from_remote_sock", (peer) => void peer?.join(hello));
    onRemote("leave_room_from_remote_sock", (peer) => void peer?.leave("room4"));
    onRemote("get_rooms_remote_sock", (peer) => peer && [...peer.rooms]);
    onRemote("disconnect_remote_sock", (peer) => void peer?.disconnect());
  });
}

// -------------------------------------------------------------------------------------------- client

function client(io) {
  io.use((socket, next) => next(socket.handshake.query.fail ? refusal("Auth failed (main namespace)") : undefined));
  io.on("connection", clientSocket);
  io.of("/foo").on("connection", (socket) => socket.on("getId", (ack) => ack?.(socket.id)));
  io.of("/abc").on("connection", (socket) => socket.emit("handshake", socket.handshake));
  io.of("/no").use((_socket, next) => next(refusal("Auth failed (custom namespace)")));
  for (const name of ["/timeout_socket", "/valid", "/asd"]) io.of(name);
}

function clientSocket(socket) {
  const eightBytes = Buffer.from("asdfasdf");
  const isGreeting = (value) => value?.hello === "lol" && isBinary(value.message) && value.goodbye === "gotcha";
  const replies = {
    hi: () => ["hi"],
    getDate: () => ["takeDate", new Date().toISOString()],
    getDateObj: () => ["takeDateObj", { date: new Date().toISOString() }],
    false: () => ["false", false],
    doge: () => ["doge", eightBytes],
    getbin: () => ["takebin", eightBytes],
    buffa: (value) => isBinary(value) && ["buffack"],
    jsonbuff: (value) => isGreeting(value) && ["jsonbuff-ack"],
    blob: (value) => isBinary(value) && ["back"],
    jsonblob: (value) => isGreeting(value) && ["jsonblob-ack"],
  };
  for (const [event, reply] of Object.entries(replies)) {
    socket.on(event, (value) => {
      const answer = reply(value);
      if (answer) socket.emit(...answer);
    });
  }

  socket.on("echo", (value, ack) => ack?.(value));
  socket.on("ack", () => {
    socket.emit("ack", (first, second) => {
      if (first === 5 && second?.test === true) socket.emit("got it");
    });
  });
  socket.on("getAckDate", (_value, ack) => ack?.(new Date().toISOString()));
  socket.on("getUtf8", () => {
    for (const text of ["てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string"]) {
      socket.emit("takeUtf8", text);
    }
  });
  socket.on("getHandshake", (ack) => ack?.(socket.handshake));
  socket.on("getId", (ack) => ack?.(socket.id));

  let sawFirstBuffer = false;
  socket.on("abuff1", (value) => (sawFirstBuffer = isBinary(value)));
  socket.on("abuff2", () => sawFirstBuffer && socket.emit("abuff2-ack"));

  let blobs = 0;
  socket.on("blob1", (value) => (blobs = isBinary(value) ? 1 : 0));
  socket.on("blob2", (value) => (blobs = blobs === 1 && value === "second" ? 2 : 0));
  socket.on("blob3", (value) => blobs === 2 && isBinary(value) && socket.emit("blob3-ack"));
}

// ------------------------------------------------------------------------------------------- chatter

function chatter(io) {
  for (const name of ["/", "/admin"]) {
    io.of(name).on("connection", (socket) => {
      greet(socket);
      socket.on("test", (value, ack) => {
        socket.emit("test-received", value);
        ack?.("woot");
      });
      socket.on("message", (value) => socket.emit("message-received", value));
      socket.on("binary", (value, ack) => {
        socket.emit("binary-received", value);
        ack?.(Buffer.from([1, 2, 3]));
      });
      socket.on("close_transport", () => socket.conn.close());
      socket.on("restart_server", () => config.chatterRestart > 0 && restart(io));
    });
  }
}

function greet(socket) {
  const { auth, headers, query } = socket.handshake;
  if (config.chatterAuth) {
    socket.emit("auth", auth.password === "123" ? "success" : "failed");
  } else if (config.chatterRestart > 0) {
    socket.emit("message", headers.message_back ?? "test");
  } else if (config.chatterTimestamp) {
    if (Math.abs(Date.now() - Number(query.timestamp)) <= 1000) socket.emit("message", "test");
    else socket.disconnect(true);
  } else {
    socket.emit("Hello from the message event!");
    socket.emit("test", "Hello from the test event!");
    // A binary event packet without a name: no public call sends one.
    socket.packet({ type: 2, data: [Buffer.from([4, 5, 6])] });
    socket.emit("test", Buffer.from([1, 2, 3]));
    socket.emit("This is the first argument", "This is the second argument", { argCount: 3 });
    socket.emit("on_abc_event", "", { abc: 0, some_other: "value" });
  }
}

function restart(io) {
  const http = io.httpServer;
  http.close();
  io.engine.close();
  http.closeAllConnections();
  setTimeout(() => http.listen(config.boundPort, config.host), config.chatterRestart);
}

// ----------------------------------------------------------------------------------------------- api

// Beyond the contract: what the API of a server can do and a client can see.
function api(io) {
  const made = [];
  io.on("new_namespace", (namespace) => made.push(namespace.name));

  io.on("connection", (socket) => {
    const heard = [];
    const sent = [];
    socket.onAny((name) => heard.push(`any ${name}`));
    socket.prependAny((name) => heard.push(`first ${name}`));
    socket.onAnyOutgoing((name) => sent.push(name));
    socket.use(([name], next) => next(name === "forbidden" ? new Error("forbidden") : undefined));
    socket.data = { name: socket.handshake.auth.name ?? null };
    if (socket.handshake.auth.room) socket.join(socket.handshake.auth.room);

    socket.on("heard", (ack) => ack(heard));
    socket.on("sent", (ack) => ack(sent));
    socket.on("made", (ack) => ack(made));
    socket.on("forbidden", (ack) => ack("not reached"));
    socket.on("many", (event, ack) => (io.to(socket.id).emit(event), socket.emit(event), ack()));
    socket.on("ask", async (room, ms, ack) => {
      try {
        ack(true, await io.to(room).timeout(ms).emitWithAck("question", room));
      } catch (error) {
        ack(false, error.responses);
      }
    });
    socket.on("describe", async (room, ack) => {
      const found = await io.in(room).fetchSockets();
      ack(found.map(({ id, data, rooms, handshake }) => ({ id, data, rooms: [...rooms], auth: handshake.auth, xdomain: handshake.xdomain })));
    });
    socket.on("move", (from, to, ack) => (io.in(from).socketsJoin(to), io.in(from).socketsLeave(from), ack()));
    socket.on("close", (room) => io.in(room).disconnectSockets(true));
    socket.on("disconnecting", (reason) => {
      for (const room of socket.rooms) socket.to(room).emit("left", socket.id, reason);
    });
  });

  const early = io.of("/early");
  early.use((socket, next) => (socket.emit("early", 1), next()));
  early.on("connection", (socket) => socket.emit("late", 2));

  const kids = io.of(/^\/kid-\w+$/);
  kids.use((socket, next) => next(socket.nsp.name === "/kid-shy" ? new Error("shy") : undefined));
  kids.on("connection", (socket) => {
    socket.join(socket.handshake.auth.room ?? "none");
    socket.on("shout", (room, text) => (room === null ? kids : kids.to(room)).emit("shouted", text));
  });

  io.of((name, auth, next) => setTimeout(() => next(null, name === `/team-${auth.team}`), 10));
}
