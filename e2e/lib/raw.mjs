// HTTP/1.1 and WebSocket on bare TCP sockets, for requests that no well-behaved client sends and for
// looking at the very bytes of an answer.

import { connect as connectTcp } from "node:net";
import { createHash, randomBytes } from "node:crypto";
import { gunzipSync, inflateSync } from "node:zlib";
import { pause, within } from "./wait.mjs";

/** A pong: a packet that a session takes at any time and that changes nothing but its heartbeat. */
export const POLL_SEEN = "3";

/** A TCP connection whose input is read piece by piece. */
export class Wire {
  #buffer = Buffer.alloc(0);
  #wake = () => {};
  ended = false;

  constructor(port) {
    this.socket = connectTcp({ port, host: "127.0.0.1" });
    this.socket.setNoDelay(true);
    this.socket.on("data", (bytes) => {
      this.#buffer = Buffer.concat([this.#buffer, bytes]);
      this.#wake();
    });
    const end = () => {
      this.ended = true;
      this.#wake();
    };
    this.socket.on("end", end).on("close", end);
    this.socket.on("error", end);
  }

  send(bytes) {
    this.socket.write(bytes);
    return this;
  }

  destroy() {
    this.socket.destroy();
  }

  /** Cuts the connection with a TCP reset. */
  reset() {
    this.socket.resetAndDestroy();
  }

  /** Waits until `parse` finds something in the buffer: it returns `[value, bytes used]` or undefined. */
  async read(parse, what, ms = 5_000) {
    const found = (async () => {
      for (;;) {
        const result = parse(this.#buffer, this.ended);
        if (result) {
          this.#buffer = this.#buffer.subarray(result[1]);
          return result[0];
        }
        if (this.ended) return undefined;
        await new Promise((resolve) => (this.#wake = resolve));
      }
    })();
    return within(found, what, ms);
  }

  /** Everything up to the end of the connection. */
  rest(ms) {
    return this.read((buffer, ended) => ended && [buffer, buffer.length], "end of the connection", ms);
  }

  /** The next HTTP response, or undefined if the connection ends without one. */
  async response({ head = false, ms } = {}) {
    const start = await this.read(
      (buffer) => {
        const end = buffer.indexOf("\r\n\r\n");
        return end >= 0 && [buffer.subarray(0, end).toString("latin1"), end + 4];
      },
      "head of a response",
      ms,
    );
    if (start === undefined) return undefined;
    const [line, ...fields] = start.split("\r\n");
    const status = Number(line.split(" ")[1]);
    const headers = {};
    for (const field of fields) {
      const colon = field.indexOf(":");
      const name = field.slice(0, colon).toLowerCase();
      const value = field.slice(colon + 1).trim();
      (headers[name] ??= []).push(value);
    }
    const [framing, body] = await this.#body(status, headers, head, ms);
    return { status, headers, framing, body };
  }

  async #body(status, headers, head, ms) {
    if (head || status === 101 || status === 204 || status === 304) return ["none", Buffer.alloc(0)];
    if (headers["transfer-encoding"]?.[0] === "chunked") return ["chunked", await this.#chunks(ms)];
    if (headers["content-length"]) {
      const length = Number(headers["content-length"][0]);
      const body = await this.read((buffer) => buffer.length >= length && [buffer.subarray(0, length), length], "body", ms);
      return ["length", body];
    }
    return ["close", await this.rest(ms)];
  }

  async #chunks(ms) {
    const pieces = [];
    for (;;) {
      const piece = await this.read(
        (buffer) => {
          const line = buffer.indexOf("\r\n");
          if (line < 0) return undefined;
          const size = parseInt(buffer.subarray(0, line).toString("latin1"), 16);
          const end = line + 2 + size + 2;
          return buffer.length >= end && [buffer.subarray(line + 2, end - 2), end];
        },
        "chunk",
        ms,
      );
      if (!piece || piece.length === 0) return Buffer.concat(pieces);
      pieces.push(piece);
    }
  }

  /** The next WebSocket frame as text, `<hex>` for binary, or `close:<code>`; `end` when the connection ends. */
  async frame(ms) {
    const frame = await this.read(parseFrame, "WebSocket frame", ms);
    if (!frame) return "end";
    const { opcode, payload } = frame;
    if (opcode === 1) return payload.toString();
    if (opcode === 2) return `<${payload.toString("hex")}>`;
    if (opcode === 8) return `close:${payload.length >= 2 ? payload.readUInt16BE(0) : 1005}`;
    if (opcode === 9) return "ping";
    return opcode === 10 ? "pong" : `opcode:${opcode}`;
  }

  /** All frames until the connection ends. */
  async frames(ms) {
    const all = [];
    for (;;) {
      const frame = await this.frame(ms);
      all.push(frame);
      if (frame === "end") return all;
      // Answer a close as RFC 6455 asks, so that the server ends the connection at once.
      if (frame.startsWith("close:")) this.send(frameOf(8, Buffer.alloc(0)));
    }
  }

  /** Sends a text frame. */
  text(text) {
    return this.send(frameOf(1, Buffer.from(text)));
  }

  /** Sends a binary frame. */
  binary(bytes) {
    return this.send(frameOf(2, Buffer.from(bytes)));
  }
}

function parseFrame(buffer) {
  if (buffer.length < 2) return undefined;
  let length = buffer[1] & 0x7f;
  let offset = 2;
  if (length === 126) {
    if (buffer.length < 4) return undefined;
    length = buffer.readUInt16BE(2);
    offset = 4;
  } else if (length === 127) {
    if (buffer.length < 10) return undefined;
    length = Number(buffer.readBigUInt64BE(2));
    offset = 10;
  }
  if (buffer.length < offset + length) return undefined;
  const payload = buffer.subarray(offset, offset + length);
  return [{ opcode: buffer[0] & 0x0f, fin: (buffer[0] & 0x80) !== 0, payload }, offset + length];
}

/** A client frame. `first` overrides the first byte, `masked: false` leaves the mask out. */
export function frameOf(opcode, payload, { first = 0x80 | opcode, masked = true } = {}) {
  const mask = masked ? 0x80 : 0;
  let head;
  if (payload.length < 126) head = Buffer.from([first, mask | payload.length]);
  else if (payload.length < 65536) {
    head = Buffer.from([first, mask | 126, 0, 0]);
    head.writeUInt16BE(payload.length, 2);
  } else {
    head = Buffer.alloc(10);
    head[0] = first;
    head[1] = mask | 127;
    head.writeBigUInt64BE(BigInt(payload.length), 2);
  }
  if (!masked) return Buffer.concat([head, payload]);
  const key = randomBytes(4);
  const body = Buffer.from(payload.map((byte, i) => byte ^ key[i % 4]));
  return Buffer.concat([head, key, body]);
}

export const WEBSOCKET_KEY = "AQIDBAUGBwgJCgsMDQ4PEA==";

/** Headers of a WebSocket handshake; a value of null leaves one out. */
export function upgradeHeaders(overrides = {}) {
  return {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": WEBSOCKET_KEY,
    ...overrides,
  };
}

export const acceptOf = (key) =>
  createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");

/** The bytes of a request head, and of the body if there is one (its length is added unless told otherwise). */
export function requestBytes({ method = "GET", path, headers = {}, body, version = "1.1" }) {
  const fields = { Host: "127.0.0.1", ...headers };
  if (body !== undefined && !("Content-Length" in fields) && !("Transfer-Encoding" in fields)) {
    fields["Content-Length"] = Buffer.byteLength(body);
  }
  const lines = Object.entries(fields)
    .filter(([, value]) => value !== null)
    .flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}\r\n`));
  const head = `${method} ${path} HTTP/${version}\r\n${lines.join("")}\r\n`;
  return Buffer.concat([Buffer.from(head, "latin1"), Buffer.from(body ?? "")]);
}

/** The body as text, decompressed if need be. */
export function textOf({ headers, body }) {
  const encoding = headers["content-encoding"]?.[0];
  if (encoding === "gzip") return gunzipSync(body).toString();
  if (encoding === "deflate") return inflateSync(body).toString();
  return body.toString();
}

/** Engine.IO by hand: one session of a server. */
export class Engine {
  constructor(target, { eio = "4", query = "" } = {}) {
    this.target = target;
    this.eio = eio;
    this.query = query;
    this.wires = [];
  }

  path(transport, { sid = this.sid, eio = this.eio, query = this.query } = {}) {
    const parameters = [
      eio !== null && `EIO=${eio}`,
      transport !== null && `transport=${transport}`,
      sid && `sid=${sid}`,
      query,
    ];
    return `${this.target.path}?${parameters.filter(Boolean).join("&")}`;
  }

  wire() {
    const wire = new Wire(this.target.port);
    this.wires.push(wire);
    return wire;
  }

  /** Sends one request on a connection of its own; the answer is read from the wire. */
  start(request) {
    return this.wire().send(requestBytes(request));
  }

  async request(request) {
    const wire = this.start(request);
    const response = await wire.response({ head: request.method === "HEAD" });
    wire.destroy();
    return response;
  }

  /** Opens a polling session. */
  async handshake(options = {}) {
    const response = await this.request({ path: this.path("polling", { sid: null }), ...options });
    this.hello = JSON.parse(textOf(response).slice(textOf(response).indexOf("{")));
    this.sid = this.hello.sid;
    return response;
  }

  /** Starts a poll; its answer comes with `response()` of the wire. */
  poll(options = {}) {
    return this.start({ path: this.path("polling"), ...options });
  }

  /** Starts a poll, and waits until the server has surely seen it: another connection may overtake it. */
  async openPoll(options = {}) {
    const poll = this.poll(options);
    // An answered POST does not prove that the poll, on another connection, was read before it.
    await pause(20);
    await this.post(POLL_SEEN, options);
    return poll;
  }

  get(options = {}) {
    return this.request({ path: this.path("polling"), ...options });
  }

  post(body, options = {}) {
    return this.request({ method: "POST", path: this.path("polling"), body, ...options });
  }

  /** Text of the next poll. */
  async next() {
    return textOf(await this.get());
  }

  /** Starts a WebSocket handshake with this session's sid, or with none for a new session. */
  upgrade({ headers, ...options } = {}) {
    return this.start({ path: this.path("websocket", options), headers: upgradeHeaders(headers), ...options });
  }

  /** Opens a session on WebSocket, or a candidate for an upgrade: the wire, after its 101. */
  async websocket(options) {
    const wire = this.upgrade(options);
    const response = await wire.response();
    if (response?.status !== 101) throw new Error(`WebSocket refused: ${response?.status} ${response?.body}`);
    if (!this.sid) {
      this.hello = JSON.parse((await wire.frame()).slice(1));
      this.sid = this.hello.sid;
    }
    return wire;
  }

  /** Moves a polling session to WebSocket; no poll may be open. */
  async upgraded() {
    const wire = await this.websocket();
    wire.text("2probe");
    const answer = await wire.frame();
    if (answer !== "3probe") throw new Error(`answer to the probe: ${answer}`);
    wire.text("5");
    return wire;
  }

  close() {
    this.wires.forEach((wire) => wire.destroy());
  }
}
