import { io } from "socket.io-client";
import { renderMoves } from "./cards.js";
import { diagnose } from "./diagnosis.js";
import { byTestId, h } from "./dom.js";
import { announce, watchPeers } from "./peers.js";
import { record } from "./timeline.js";

const url = import.meta.env.VITE_SERVER_URL || "http://localhost:8080";
const socket = io(url, { autoConnect: false, ackTimeout: 5000 });

// --- What the page says about its connection -------------------------------

const view = {
  status: byTestId("status"),
  state: byTestId("connection-state"),
  id: byTestId("socket-id"),
  copy: byTestId("copy-id"),
  transport: byTestId("transport"),
  toggle: byTestId("connection-toggle"),
  trouble: byTestId("error"),
};
byTestId("server-url").textContent = url;

/** state: connecting, connected, reconnecting, disconnected or failed */
function showState(state) {
  const up = state === "connected";
  view.status.dataset.state = state;
  view.state.textContent = state;
  view.id.textContent = up ? socket.id : "–";
  view.transport.textContent = up ? socket.io.engine.transport.name : "–";
  view.copy.disabled = !up;
  view.toggle.textContent = socket.active ? "Disconnect" : "Connect";
  for (const fieldset of document.querySelectorAll(".card fieldset")) fieldset.disabled = !up;
  document.title = up ? `${socket.id.slice(0, 6)} · Sockeye chat` : "Sockeye chat";
}

let attempts = 0;

function showTrouble(error, { kind, title, hint }) {
  view.trouble.dataset.kind = kind;
  byTestId("error-title").textContent = title;
  // What stands between backticks is something to type, or an address.
  byTestId("error-hint").replaceChildren(...hint.split("`").map((part, index) => (index % 2 ? h("code", {}, part) : part)));
  byTestId("error-message").textContent = error.data ? `${error.message} ${JSON.stringify(error.data)}` : error.message;
  byTestId("error-attempts").textContent = socket.active ? `attempt ${attempts}, trying again` : "";
  view.trouble.hidden = false;
}

function forgetTrouble() {
  attempts = 0;
  view.trouble.hidden = true;
}

// --- The connection ---------------------------------------------------------

socket.on("connect", () => {
  forgetTrouble();
  showState("connected");
  record("note", "connected", [`over ${socket.io.engine.transport.name}`]);
  socket.io.engine.on("upgrade", (transport) => {
    view.transport.textContent = transport.name;
    record("note", "upgraded", [`to ${transport.name}`]);
  });
  announce(socket.id);
});

socket.on("disconnect", (reason) => {
  rooms.clear();
  showRooms();
  showState(socket.active ? "reconnecting" : "disconnected");
  record("note", "disconnected", [reason]);
  announce(undefined);
});

socket.on("connect_error", async (error) => {
  attempts += 1;
  showState(socket.active ? "reconnecting" : "failed");
  record("note", "connect_error", [error.message]);
  const diagnosis = await diagnose(error, { url, refused: !socket.active });
  if (!socket.connected && attempts > 0) showTrouble(error, diagnosis);
});

view.toggle.addEventListener("click", () => {
  if (socket.active) {
    socket.disconnect();
    forgetTrouble();
    showState("disconnected");
  } else {
    socket.connect();
    showState("connecting");
  }
});

view.copy.addEventListener("click", async () => {
  await navigator.clipboard.writeText(socket.id);
  view.copy.textContent = "Copied";
  setTimeout(() => (view.copy.textContent = "Copy"), 1500);
});

// --- Everything that goes over it -------------------------------------------

socket.onAny((event, ...args) => record("in", event, args));
socket.onAnyOutgoing((event, ...args) => record("out", event, args));

// --- The moves --------------------------------------------------------------

const rooms = new Set();

function showRooms() {
  byTestId("rooms").replaceChildren(...[...rooms].map((room) => h("li", { "data-testid": "room" }, room)));
}

renderMoves(byTestId("moves"), {
  socket,
  onAck: (event, reply) => record("ack", event, [reply]),
  onJoin: (room) => {
    rooms.add(room);
    showRooms();
  },
});

watchPeers((ids) => {
  const field = byTestId("send-message-id");
  byTestId("peers").replaceChildren(
    ...ids.map((id) => {
      const button = h("button", { type: "button", class: "chip", "data-testid": "peer" }, id);
      button.addEventListener("click", () => (field.value = id));
      return h("li", {}, button);
    }),
  );
});

socket.connect();
showState("connecting");
