import { defineConfig } from "vite";

// The server lets exactly one origin in, so the page must not wander to the
// next free port: better to fail and say so.
const where = { host: "localhost", port: 5173, strictPort: true };

export default defineConfig({
  server: where,
  preview: where,
  optimizeDeps: { include: ["socket.io-client"] },
});
