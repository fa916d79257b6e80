// The interop contract's server on the packages of the reference (socket.io and engine.io from npm).
//
// It takes the environment of `interop-server` and prints `listening <port>`; the tests of this folder
// pass against it before they are pointed at our own server.
//
// Beyond the contract it answers `GET /counts` with `{"sessions":n,"sockets":n,"rooms":n}`.

import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { readFileSync } from "node:fs";
import { Server as EngineServer } from "engine.io";
import * as msgpackParser from "socket.io-msgpack-parser";
import { WebSocketServer } from "ws";
import { config, engineOptions } from "./config.mjs";
import { engineProfiles } from "./engine-profiles.mjs";
import { socketProfiles } from "./socket-profiles.mjs";

// Other versions of the package can be installed under other names.
const socketIo = await import(process.env.SOCKET_IO_PACKAGE ?? "socket.io");
const SocketServer = socketIo.Server ?? socketIo.default;

const profile = config.profile;

// What each kind of profile leaves for the process to do: attach, count, stop.
function startSocketServer(http) {
  const io = new SocketServer(http, {
    ...engineOptions(),
    path: config.path,
    serveClient: false,
    connectTimeout: config.connectTimeout,
    ...(config.parser === "msgpack" ? { parser: msgpackParser.default ?? msgpackParser } : {}),
    ...(config.recovery > 0
      ? {
          connectionStateRecovery: {
            maxDisconnectionDuration: config.recovery,
            skipMiddlewares: config.recoverySkipsMiddleware,
          },
        }
      : {}),
  });
  // Version 3 calls it otherwise.
  const engine = io.engine ?? io.eio;
  addCookies(engine);
  socketProfiles[profile](io);
  return {
    counts() {
      let sockets = 0;
      let rooms = 0;
      for (const namespace of io._nsps.values()) {
        sockets += namespace.sockets.size;
        for (const room of namespace.adapter.rooms.keys()) {
          if (!namespace.adapter.sids.has(room)) rooms += 1;
        }
      }
      return { sessions: engine.clientsCount, sockets, rooms };
    },
    close: () => io.close(),
  };
}

function startEngineServer(http) {
  const engine = new EngineServer(engineOptions());
  engine.attach(http, { path: config.path });
  addCookies(engine);
  engineProfiles[profile](engine);
  return {
    counts: () => ({ sessions: engine.clientsCount, sockets: 0, rooms: 0 }),
    close: () => engine.close(),
  };
}

function startWebSocketEcho(http) {
  const server = new WebSocketServer({
    server: http,
    maxPayload: 16 * 1024 * 1024,
    perMessageDeflate: config.webSocketDeflate,
  });
  server.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  return {
    counts: () => ({ sessions: server.clients.size, sockets: 0, rooms: 0 }),
    close: () => server.clients.forEach((socket) => socket.terminate()),
  };
}

function addCookies(engine) {
  if (!config.setCookies) return;
  engine.on("initial_headers", (headers) => {
    headers["Set-Cookie"] = [
      "1=1; Max-Age=86400",
      "2=2; Path=/; HttpOnly; Secure; SameSite=Strict",
      "3=3; Max-Age=0",
      `4=4; Expires=${new Date().toUTCString()}`,
    ];
  });
}

function answerOtherPaths(request, response) {
  const path = request.url.split("?")[0];
  if (path === "/healthz") {
    response.writeHead(200, { "Content-Type": "text/plain" });
    response.end("ok");
  } else if (path === "/counts") {
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(JSON.stringify(running.counts()));
  } else {
    response.writeHead(404);
    response.end();
  }
}

const tls = config.tlsCert && { cert: readFileSync(config.tlsCert), key: readFileSync(config.tlsKey) };
const http = tls ? createSecureServer(tls, answerOtherPaths) : createServer(answerOtherPaths);

let running;
if (profile in socketProfiles) running = startSocketServer(http);
else if (profile in engineProfiles) running = startEngineServer(http);
else if (profile === "ws-echo") running = startWebSocketEcho(http);
else {
  console.error(`unknown profile: ${profile}`);
  process.exit(2);
}

http.listen(config.port, config.host, () => {
  // Only the first time: `restart_server` of the chatter profile listens again on the same port.
  if (config.boundPort === undefined) {
    config.boundPort = http.address().port;
    process.stdout.write(`listening ${config.boundPort}\n`);
  }
});

for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    running.close();
    // Answers and close frames that were just written get a moment to leave.
    setTimeout(() => process.exit(0), 50);
  });
}
