// socket.io-client, wrapped for tests: every client is closed after the test file, and what it
// receives waits in an inbox, so that no event is missed between two lines of a test.

import { after } from "node:test";
import { Manager } from "socket.io-client";
import { once, within } from "./wait.mjs";

/** The ways to reach a server; `upgrade` starts on polling and is handed out once it is on WebSocket. */
export const MODES = ["polling", "websocket", "upgrade"];

export const transportsOf = (mode) => (mode === "upgrade" ? ["polling", "websocket"] : [mode]);

const managers = new Set();
after(() => managers.forEach((manager) => manager._close()));

/** A manager (one connection), not yet connected. */
export function manager(target, mode, options = {}) {
  const created = new Manager(target.url, {
    path: target.path,
    transports: transportsOf(mode),
    autoConnect: false,
    reconnection: false,
    ...options,
  });
  managers.add(created);
  return created;
}

/** A socket with an inbox, not yet connected. */
export function socketOf(connection, namespace = "/", options = {}) {
  const socket = connection.socket(namespace, options);
  socket.inbox = [];
  socket.onAny((...event) => {
    // The inbox is about what was sent; an acknowledgement is not part of it.
    socket.inbox.push(event);
    socket.arrived?.();
  });
  return socket;
}

/** Connects to one namespace over a connection of its own; refusals reject with the connect error. */
export async function connect(target, mode, { namespace = "/", auth, ...options } = {}) {
  const connection = manager(target, mode, options);
  const socket = socketOf(connection, namespace, { auth });
  const upgraded = mode === "upgrade" && new Promise((resolve) => onceUpgraded(connection, resolve));
  await open(socket);
  if (upgraded) await within(upgraded, "upgrade");
  return socket;
}

/** Calls back once the connection has moved to WebSocket. */
export function onceUpgraded(connection, callback) {
  connection.once("open", () => connection.engine.once("upgrade", callback));
}

/** Connects a socket of an existing connection. */
export function open(socket, ms = 5_000) {
  const outcome = new Promise((resolve, reject) => {
    socket.once("connect", () => resolve(socket));
    socket.once("connect_error", reject);
  });
  socket.connect();
  return within(outcome, `connecting to ${socket.nsp}`, ms);
}

/** The connect error of an attempt that must fail. */
export async function refusalOf(socket) {
  const refusal = once(socket, "connect_error");
  socket.connect();
  const [error] = await refusal;
  return error;
}

/** The arguments of the oldest `name` event that no one has taken yet. */
export async function take(socket, name, ms = 5_000) {
  const waiting = (async () => {
    for (;;) {
      const index = socket.inbox.findIndex(([event]) => event === name);
      if (index >= 0) return socket.inbox.splice(index, 1)[0].slice(1);
      await new Promise((resolve) => (socket.arrived = resolve));
    }
  })();
  return within(waiting, `event "${name}"`, ms);
}

/** Arguments of all `name` events that wait in the inbox. */
export function waiting(socket, name) {
  return socket.inbox.filter(([event]) => event === name).map(([, ...args]) => args);
}

/** Emits with an acknowledgement and gives all of its arguments. */
export function call(socket, event, ...args) {
  return new Promise((resolve, reject) => {
    socket.timeout(5_000).emit(event, ...args, (error, ...reply) => (error ? reject(error) : resolve(reply)));
  });
}

/**
 * A round trip: when it is over, everything that the server had sent to this socket before has arrived.
 * Makes "was not sent" visible without a pause.
 */
export const settle = (socket) => call(socket, "echo", "settle");

/** The reason (and details) with which the socket is disconnected next. */
export const disconnected = (socket, ms) => once(socket, "disconnect", ms);
