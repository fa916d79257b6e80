// Profiles that speak Engine.IO alone. `engine` is the reference's engine.io server.

export const engineProfiles = {
  "engine-echo"(engine) {
    engine.on("connection", (session) => {
      session.on("message", (data) => session.send(data));
    });
  },

  "engine-client"(engine) {
    engine.on("connection", (session) => {
      // Header names are lower-case in Node.js already.
      let headers = session.request.headers;
      // `dataReq` is the POST that is being read; only the polling transport has one.
      const postHeaders = () => session.transport.dataReq?.headers ?? headers;
      session.send("hi");
      session.on("message", (data) => {
        if (data === "give binary") session.send(Buffer.from([0, 1, 2, 3, 4]));
        else if (data === "give utf8") session.send("пойду спать всем спокойной ночи");
        else if (data === "sendHeaders") session.send(JSON.stringify(postHeaders()));
        else session.send(data);
      });
    });
  },

  "engine-chatter"(engine) {
    engine.on("connection", (session) => {
      session.send("hello client");
      session.on("message", (data) => {
        if (data === "respond") session.send("Roger Roger");
        else if (data === "close") session.close();
      });
    });
  },
};
