// The contract of benches/compare in socket.io on Bun's own engine, with its defaults.
import { Server as Engine } from "@socket.io/bun-engine";
import { Server } from "socket.io";
import { serve } from "../contract.mjs";

const { PORT = "3000", PING_INTERVAL_MS = "25000" } = process.env;

const io = new Server();
const engine = new Engine({ path: "/socket.io/", pingInterval: Number(PING_INTERVAL_MS) });
io.bind(engine);
serve(io);
const server = Bun.serve({ hostname: "127.0.0.1", port: Number(PORT), ...engine.handler() });
console.log(`listening on 127.0.0.1:${server.port}`);
