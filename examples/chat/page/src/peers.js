// The server keeps no public list of ids, so the tabs of this browser tell
// each other theirs. It is a convenience of the page, not part of Socket.IO.

const channel = new BroadcastChannel("sockeye-chat");
const me = crypto.getRandomValues(new Uint32Array(2)).join("-");
const peers = new Map();
let myId;
let changed = () => {};

channel.addEventListener("message", ({ data }) => {
  if (data.id) peers.set(data.tab, data.id);
  else peers.delete(data.tab);
  if (data.ask) say(false);
  changed([...peers.values()]);
});

addEventListener("pagehide", () => channel.postMessage({ tab: me }));

function say(ask) {
  channel.postMessage({ tab: me, id: myId, ask });
}

/** Tells the other tabs this tab's id, and asks for theirs. */
export function announce(id) {
  myId = id;
  say(true);
}

/** Calls back with the ids of the other tabs whenever they change. */
export function watchPeers(callback) {
  changed = callback;
}
