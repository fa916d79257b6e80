// The handlers of benches/compare, for Node.js and Bun.
export function serve(io) {
  io.on("connection", (socket) => {
    // There is no undecoded or typed form in JavaScript: these three are the same.
    for (const event of ["echo", "echo-raw", "echo-struct"]) {
      socket.on(event, (d) => socket.emit(event, d));
    }
    socket.on("ack", (d, callback) => callback(d));
    socket.on("bin", (buffer) => socket.emit("bin", buffer));
    socket.on("broadcast", (d) => io.emit("message", d));
    socket.on("join", (room) => socket.join(room));
    socket.on("to-room", (room, d) => io.to(room).emit("message", d));
  });
}
