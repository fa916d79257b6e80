// The eight moves. Each one says who hears it, shows its line of code, and
// does exactly that line in `go`.
//
// `reach` draws who receives it: the first dot is me, the others are everyone
// else; `room` puts a ring around that many of the dots.

export const GROUPS = [
  { title: "In the open", note: "to everyone, to the others, to one" },
  { title: "In a room", note: "only those who joined will hear it", rooms: true },
];

export const moves = [
  {
    group: 0,
    event: "message",
    title: "To everyone",
    note: "Me included.",
    reach: { dots: [1, 1, 1, 1] },
    code: 'socket.emit("message", text)',
    fields: [{ name: "text", label: "Text", value: "The run is on!" }],
    action: "Send",
    go: (socket, { text }) => socket.emit("message", text),
    ack: {
      code: 'await socket.emitWithAck("message", text)',
      action: "Send, await reply",
      go: (socket, { text }) => socket.emitWithAck("message", text),
    },
  },
  {
    group: 0,
    event: "send-message",
    title: "To one other",
    note: "By the id it was given.",
    reach: { dots: [0, 0, 1, 0] },
    code: 'socket.emit("send-message", text, id)',
    fields: [
      { name: "text", label: "Text", value: "Just between us" },
      { name: "id", label: "Client id", placeholder: "another tab’s id", kind: "peer" },
    ],
    action: "Send",
    go: (socket, { text, id }) => socket.emit("send-message", text, id),
    ack: {
      code: 'await socket.emitWithAck("send-message", text)',
      needs: ["text"],
      action: "Ask the server",
      go: (socket, { text }) => socket.emitWithAck("send-message", text),
    },
  },
  {
    group: 0,
    event: "broadcast-message",
    title: "To everyone but me",
    note: "Arrives at the others as a message.",
    reach: { dots: [0, 1, 1, 1] },
    code: 'socket.emit("broadcast-message", text)',
    fields: [{ name: "text", label: "Text", value: "Upstream, all of you" }],
    action: "Broadcast",
    go: (socket, { text }) => socket.emit("broadcast-message", text),
  },
  {
    group: 0,
    event: "client-data",
    title: "There and back",
    note: "A string, a number, an object: all three come back.",
    reach: { dots: [1, 0, 0, 0] },
    code: 'socket.emit("client-data", letter, number, object)',
    fields: [
      { name: "letter", label: "String", value: "a", width: 3 },
      { name: "number", label: "Number", value: "42", kind: "number", width: 3 },
      { name: "object", label: "Object (JSON)", value: '{"km": 1448}', kind: "json", width: 9 },
    ],
    action: "Send",
    go: (socket, { letter, number, object }) => socket.emit("client-data", letter, number, object),
  },
  {
    group: 1,
    event: "join-room",
    title: "Join a room",
    note: "A room exists as long as someone is in it.",
    reach: { dots: [0, 0, 0, 0], room: 3, joining: true },
    code: 'socket.emit("join-room", room)',
    fields: [{ name: "room", label: "Room", value: "river" }],
    action: "Join",
    go: (socket, { room }) => socket.emit("join-room", room),
    joins: ({ room }) => room,
  },
  {
    group: 1,
    event: "send-message-to-room",
    title: "To a room, without me",
    note: "I need not be in it.",
    reach: { dots: [0, 1, 1, 0], room: 3 },
    code: 'socket.emit("send-message-to-room", room, text)',
    fields: [
      { name: "room", label: "Room", value: "river", width: 2 },
      { name: "text", label: "Text", value: "Anyone past the rapids?", width: 3 },
    ],
    action: "Send",
    go: (socket, { room, text }) => socket.emit("send-message-to-room", room, text),
  },
  {
    group: 1,
    event: "send-message-in-room",
    title: "In a room, with me",
    note: "I hear myself too, if I am in it.",
    reach: { dots: [1, 1, 1, 0], room: 3 },
    code: 'socket.emit("send-message-in-room", room, text)',
    fields: [
      { name: "room", label: "Room", value: "river", width: 2 },
      { name: "text", label: "Text", value: "We made it", width: 3 },
    ],
    action: "Send",
    go: (socket, { room, text }) => socket.emit("send-message-in-room", room, text),
  },
  {
    group: 1,
    event: "send-message-to-ourgroup",
    title: "To our group",
    note: "The room is fixed: ourgroup, without me.",
    reach: { dots: [0, 1, 1, 0], room: 3 },
    code: 'socket.emit("send-message-to-ourgroup", text)',
    fields: [{ name: "text", label: "Text", value: "Hello, you lot" }],
    action: "Send",
    go: (socket, { text }) => socket.emit("send-message-to-ourgroup", text),
    aside: {
      action: "Join it",
      title: 'socket.emit("join-room", "ourgroup")',
      go: (socket) => socket.emit("join-room", "ourgroup"),
      joins: () => "ourgroup",
    },
  },
];
