"""The profile `full` on python-socketio: what the tests of our client need of it."""

import asyncio
import os
import signal

import socketio
from aiohttp import web

ENV = os.environ.get


def seconds(name, default):
    return int(ENV(name) or default) / 1000


sio = socketio.AsyncServer(
    async_mode="aiohttp",
    cors_allowed_origins="*",
    ping_interval=seconds("PING_INTERVAL", 25000),
    ping_timeout=seconds("PING_TIMEOUT", 20000),
    max_http_buffer_size=int(ENV("MAX_PAYLOAD") or 1000000),
    transports=(ENV("TRANSPORTS") or "polling,websocket").split(","),
    namespaces=["/", "/chat", "/auth", "/lag"],
)
counters = {}


def mark(key):
    counters[key] = counters.get(key, 0) + 1
    return counters[key]


def serve(ns):
    def on(event):
        return lambda handler: sio.on(event, handler, namespace=ns)

    async def emit(sid, event, *args):
        await sio.emit(event, tuple(args), to=sid, namespace=ns)

    @on("connect")
    async def connect(sid, environ, auth):
        query = environ.get("QUERY_STRING", "")
        if ns == "/" and "refuse=" in query:
            raise socketio.exceptions.ConnectionRefusedError("refused", {"code": 7})
        if ns == "/auth" and (auth or {}).get("token") != "secret":
            raise socketio.exceptions.ConnectionRefusedError("unauthorized", {"code": 401, "hint": "token"})
        if ns == "/lag":
            await asyncio.sleep(0.3)
        await emit(sid, "welcome", {"sid": sid, "auth": auth or {}, "ns": ns, "recovered": False})

    @on("echo")
    async def echo(sid, *args):
        await emit(sid, "echo", *args)
        return args

    @on("slow")
    async def slow(_sid, ms, value):
        await asyncio.sleep(ms / 1000)
        return value

    @on("request")
    async def request(sid, *args):
        async def reply(*values):
            await emit(sid, "reply", *values)

        await sio.emit("request", tuple(args), to=sid, namespace=ns, callback=reply)

    @on("burst")
    async def burst(sid, count):
        for number in range(count):
            await emit(sid, "tick", number)

    @on("bin")
    async def binary(sid, size):
        await emit(sid, "bin", bytes(i % 256 for i in range(size)), {"nested": [b"\x00\x01", "t"]})

    @on("bin-size")
    def bin_size(_sid, value):
        return len(value) if isinstance(value, bytes) else -1

    @on("mark")
    def count(_sid, key):
        mark(key)

    @on("peek")
    def peek(_sid, key):
        return counters.get(key, 0)

    @on("kick")
    async def kick(sid):
        await sio.disconnect(sid, namespace=ns)

    @on("drop")
    async def drop(sid):
        await sio.eio.disconnect(sio.manager.eio_sid_from_sid(sid, ns))

    @on("transport")
    def transport(sid):
        return sio.transport(sid, namespace=ns)

    @on("handshake")
    def handshake(sid):
        environ = sio.get_environ(sid, namespace=ns)
        pairs = (pair.split("=", 1) for pair in environ["QUERY_STRING"].split("&"))
        return {"query": dict(pairs), "x": environ.get("HTTP_X_TEST")}


for name in ["/", "/chat", "/auth", "/lag"]:
    serve(name)


async def main():
    app = web.Application()
    sio.attach(app, socketio_path=(ENV("SIO_PATH") or "/socket.io/").strip("/"))
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", int(ENV("PORT") or 0), reuse_address=True)
    await site.start()
    print(f"listening {site._server.sockets[0].getsockname()[1]}", flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    # Open polls would hold the process up.
    os._exit(0)


asyncio.run(main())
