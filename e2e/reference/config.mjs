// Environment variables of the interop contract, with the defaults that each profile sets.

const PROFILE_DEFAULTS = {
  full: {},
  protocol: { PING_INTERVAL: 300, PING_TIMEOUT: 200, CONNECT_TIMEOUT: 1000, ACK_TIMEOUT: 200 },
  client: { PING_INTERVAL: 2000, RECOVERY: 120000, HANDSHAKE_DELAY: 10 },
  "engine-echo": { PING_INTERVAL: 300, PING_TIMEOUT: 200 },
  "engine-client": { PING_INTERVAL: 500, MAX_PAYLOAD: 100, DENY_PARAM: "deny", SET_COOKIES: 1 },
};

const profile = process.env.PROFILE || "full";

function text(name, fallback) {
  const value = process.env[name];
  if (value !== undefined && value !== "") return value;
  return PROFILE_DEFAULTS[profile]?.[name] ?? fallback;
}

function number(name, fallback) {
  const value = Number(text(name, fallback));
  if (!Number.isFinite(value)) throw new Error(`${name} is not a number: ${process.env[name]}`);
  return value;
}

function flag(name, fallback) {
  return number(name, fallback) === 1;
}

export const config = {
  profile,
  host: text("HOST", "127.0.0.1"),
  port: number("PORT", 3000),
  path: text("SIO_PATH", profile.startsWith("engine-") ? "/engine.io/" : "/socket.io/"),
  pingInterval: number("PING_INTERVAL", 25000),
  pingTimeout: number("PING_TIMEOUT", 20000),
  maxPayload: number("MAX_PAYLOAD", 1000000),
  connectTimeout: number("CONNECT_TIMEOUT", 45000),
  upgradeTimeout: number("UPGRADE_TIMEOUT", 10000),
  ackTimeout: number("ACK_TIMEOUT", 5000),
  transports: text("TRANSPORTS", "polling,websocket").split(","),
  allowUpgrades: flag("ALLOW_UPGRADES", 1),
  allowEIO3: flag("ALLOW_EIO3", 0),
  parser: text("PARSER", "default"),
  corsOrigin: text("CORS_ORIGIN", "*"),
  corsCredentials: flag("CORS_CREDENTIALS", 0),
  recovery: number("RECOVERY", 0),
  recoverySkipsMiddleware: flag("RECOVERY_SKIP_MIDDLEWARE", 1),
  handshakeDelay: number("HANDSHAKE_DELAY", 0),
  denyParam: text("DENY_PARAM"),
  cookie: text("COOKIE"),
  setCookies: flag("SET_COOKIES", 0),
  webSocketDeflate: flag("WS_DEFLATE", 0),
  httpCompression: flag("HTTP_COMPRESSION", 1),
  tlsCert: text("TLS_CERT"),
  tlsKey: text("TLS_KEY"),
  chatterAuth: flag("CHATTER_AUTH", 0),
  chatterRestart: number("CHATTER_RESTART", 0),
  chatterTimestamp: flag("CHATTER_TIMESTAMP", 0),
};

/** Options that engine.io takes, and that socket.io passes on to it. */
export function engineOptions() {
  return {
    pingInterval: config.pingInterval,
    pingTimeout: config.pingTimeout,
    maxHttpBufferSize: config.maxPayload,
    upgradeTimeout: config.upgradeTimeout,
    transports: config.transports,
    allowUpgrades: config.allowUpgrades,
    allowEIO3: config.allowEIO3,
    cookie: config.cookie ? { name: config.cookie } : false,
    perMessageDeflate: config.webSocketDeflate,
    httpCompression: config.httpCompression ? { threshold: 1024 } : false,
    ...(config.corsOrigin === "none" ? {} : { cors: corsOptions() }),
    ...(config.denyParam || config.handshakeDelay > 0 ? { allowRequest } : {}),
  };
}

function corsOptions() {
  const origins = config.corsOrigin.split(",");
  const credentials = config.corsCredentials;
  if (config.corsOrigin === "*") return { origin: credentials ? true : "*", credentials };
  return { origin: origins.length === 1 ? origins[0] : origins, credentials };
}

function allowRequest(request, decide) {
  const query = new URL(request.url, "http://host").searchParams;
  const allowed = !config.denyParam || !query.has(config.denyParam);
  if (config.handshakeDelay > 0) setTimeout(() => decide(null, allowed), config.handshakeDelay);
  else decide(null, allowed);
}
