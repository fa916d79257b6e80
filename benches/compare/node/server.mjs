// The contract of benches/compare in socket.io on Node.js, with its defaults.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { serve } from "../contract.mjs";

const { PORT = "3000", PING_INTERVAL_MS = "25000" } = process.env;

const http = createServer();
serve(new Server(http, { pingInterval: Number(PING_INTERVAL_MS) }));
http.listen(Number(PORT), "127.0.0.1", () => {
  console.log(`listening on 127.0.0.1:${http.address().port}`);
});
