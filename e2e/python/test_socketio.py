"""The `full` profile, driven by python-socketio: with threads and with asyncio, over every transport.

Run as `python -m unittest discover -s python` in e2e/, in the environment that README.md describes.
"""

import asyncio
import functools
import queue
import unittest

import socketio

from target import Target

MODES = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}
WAIT = 5

# What goes out comes back. (This client takes one argument or a tuple; a tuple inside is one of its lists.)
VALUES = [
    "text",
    "ünïcödé 😀 日本語",
    "",
    None,
    True,
    0,
    -1.5,
    2**40,
    [],
    {},
    {"a": [1, None, {"deep": [True]}]},
    b"\x00\x01\x1e\xff",
    b"",
    {"first": b"\x01", "list": [b"\x02", {"third": b"\x03"}]},
]


def over_all_transports(test):
    @functools.wraps(test)
    def run(self):
        for mode in MODES:
            with self.subTest(mode=mode):
                test(self, mode)

    return run


class Peer:
    """The client with threads; what it hears waits in a queue per event."""

    def __init__(self, **options):
        self.client = socketio.Client(reconnection=options.pop("reconnection", False), **options)
        self.heard = {}
        self.client.on("*", self._hear, namespace="*")
        self.answers = {}

    def _hear(self, event, namespace, *args):
        self.heard.setdefault((namespace, event), queue.Queue()).put(args)
        answer = self.answers.get(event)
        return answer(*args) if answer else None

    def take(self, event, namespace="/"):
        return self.heard.setdefault((namespace, event), queue.Queue()).get(timeout=WAIT)

    def connect(self, target, mode, namespaces=("/",), **options):
        self.client.connect(target.url, transports=MODES[mode], namespaces=list(namespaces), wait_timeout=WAIT, **options)
        return self

    def call(self, event, *args, namespace="/"):
        data = args[0] if len(args) == 1 else (args or None)
        return self.client.call(event, data, namespace=namespace, timeout=WAIT)

    def emit(self, event, *args, namespace="/"):
        data = args[0] if len(args) == 1 else (args or None)
        self.client.emit(event, data, namespace=namespace)


class WithThreads(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.target = Target(PROFILE="full").start()
        cls.addClassCleanup(cls.target.stop)

    def peer(self, mode, target=None, reconnection=False, **options):
        peer = Peer(reconnection=reconnection, **({"reconnection_delay": 0.05, "reconnection_delay_max": 0.1} if reconnection else {}))
        self.addCleanup(peer.client.disconnect)
        return peer.connect(target or self.target, mode, **options)

    @over_all_transports
    def test_welcome_and_auth(self, mode):
        auth = {"token": "secret", "ü": [1, None]}
        peer = self.peer(mode, namespaces=["/auth"], auth=auth)
        (welcome,) = peer.take("welcome", "/auth")
        self.assertEqual(welcome["auth"], auth)
        self.assertEqual(welcome["sid"], peer.client.get_sid("/auth"))
        self.assertEqual(welcome["ns"], "/auth")

    @over_all_transports
    def test_the_transport(self, mode):
        peer = self.peer(mode)
        self.assertEqual(peer.call("transport"), "polling" if mode == "polling" else "websocket")

    @over_all_transports
    def test_refusal(self, mode):
        peer = Peer()
        errors = queue.Queue()
        peer.client.on("connect_error", errors.put, namespace="/auth")
        with self.assertRaises(socketio.exceptions.ConnectionError):
            peer.connect(self.target, mode, ["/auth"], auth={"token": "wrong"})
        self.assertEqual(errors.get(timeout=WAIT), {"message": "unauthorized", "data": {"code": 401, "hint": "token"}})

    @over_all_transports
    def test_unknown_namespace(self, mode):
        peer = Peer()
        with self.assertRaises(socketio.exceptions.ConnectionError):
            peer.connect(self.target, mode, ["/nowhere"])

    @over_all_transports
    def test_echo(self, mode):
        peer = self.peer(mode)
        for value in VALUES:
            peer.emit("echo", value) if value is not None else peer.client.emit("echo", (None,))
            self.assertEqual(peer.take("echo"), (value,))
        peer.emit("echo", *VALUES)
        self.assertEqual(peer.take("echo"), tuple(VALUES))

    @over_all_transports
    def test_acknowledgements(self, mode):
        peer = self.peer(mode)
        for value in VALUES:
            if value is not None:
                self.assertEqual(peer.call("echo", value), value)
        self.assertEqual(peer.call("echo", 1, "two", b"\x03"), (1, "two", b"\x03"))
        with self.assertRaises(socketio.exceptions.TimeoutError):
            peer.client.call("noack", timeout=0.1)

    @over_all_transports
    def test_the_server_asks(self, mode):
        peer = self.peer(mode)
        peer.answers["request"] = lambda *args: ("answer", *args)
        peer.emit("request", 1, {"b": b"\x02"})
        self.assertEqual(peer.take("reply"), ("answer", 1, {"b": b"\x02"}))

    @over_all_transports
    def test_binary_of_the_server(self, mode):
        peer = self.peer(mode)
        for size in (0, 300, 70_000):
            peer.emit("bin", size)
            self.assertEqual(peer.take("bin"), (bytes(i % 256 for i in range(size)), {"nested": [b"\x00\x01", "t"]}))
        self.assertEqual(peer.call("bin-size", b"x" * 1234), 1234)
        self.assertEqual(peer.call("bin-size", "x"), -1)

    @over_all_transports
    def test_rooms(self, mode):
        one, two, three = (self.peer(mode, namespaces=["/chat"]) for _ in range(3))
        for peer in (one, two):
            self.assertIs(peer.call("join", "r", namespace="/chat"), True)
        three.emit("say", "r", "hello", b"\x01", namespace="/chat")
        for peer in (one, two):
            self.assertEqual(peer.take("said", "/chat"), ("hello", b"\x01"))
        # What three had been sent before the answer has come with it.
        three.call("echo", "settle", namespace="/chat")
        self.assertNotIn(("/chat", "said"), three.heard)
        for peer in (one, two, three):
            peer.client.disconnect()

    @over_all_transports
    def test_several_namespaces(self, mode):
        names = ["/", "/chat", "/lag"]
        peer = self.peer(mode, namespaces=names)
        self.assertEqual(len({peer.client.get_sid(name) for name in names}), 3)
        for name in names:
            self.assertEqual(peer.call("echo", name, namespace=name), name)

    @over_all_transports
    def test_kick(self, mode):
        peer = self.peer(mode, namespaces=["/", "/chat"])
        reasons = queue.Queue()
        peer.client.on("disconnect", reasons.put, namespace="/chat")
        peer.emit("kick", namespace="/chat")
        self.assertEqual(reasons.get(timeout=WAIT), "server disconnect")
        self.assertEqual(peer.call("echo", "alive"), "alive")

    @over_all_transports
    def test_a_burst(self, mode):
        peer = self.peer(mode)
        # This client refuses a polling body of more than 16 packets, and handles events in a thread each.
        peer.emit("burst", 10)
        self.assertEqual(sorted(peer.take("tick")[0] for _ in range(10)), list(range(10)))

    @over_all_transports
    def test_reconnect(self, mode):
        target = Target(PROFILE="full").start()
        self.addCleanup(target.stop)
        peer = self.peer(mode, target=target, reconnection=True)
        (first,) = peer.take("welcome")
        target.kill()
        target.start()
        (second,) = peer.take("welcome")
        self.assertNotEqual(first["sid"], second["sid"])
        self.assertEqual(peer.call("echo", "again"), "again")


class WithAsyncio(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.target = Target(PROFILE="full").start()
        cls.addClassCleanup(cls.target.stop)

    async def asyncSetUp(self):
        # Its warnings about slow callbacks are not about the server.
        asyncio.get_running_loop().set_debug(False)

    async def peer(self, mode, target=None, reconnection=False, namespaces=("/",), **options):
        client = socketio.AsyncClient(reconnection=reconnection, reconnection_delay=0.05, reconnection_delay_max=0.1)
        heard = {}

        async def hear(event, namespace, *args):
            heard.setdefault(event, asyncio.Queue()).put_nowait(args)
            return ("answer", *args) if event == "request" else None

        client.on("*", hear, namespace="*")
        client.take = lambda event: asyncio.wait_for(heard.setdefault(event, asyncio.Queue()).get(), WAIT)
        self.addAsyncCleanup(client.disconnect)
        await client.connect((target or self.target).url, transports=MODES[mode], namespaces=list(namespaces), wait_timeout=WAIT, **options)
        return client

    async def test_everything(self):
        for mode in MODES:
            with self.subTest(mode=mode):
                client = await self.peer(mode, auth={"token": "secret"})
                (welcome,) = await client.take("welcome")
                self.assertEqual(welcome["auth"], {"token": "secret"})
                await client.emit("echo", tuple(VALUES))
                self.assertEqual(await client.take("echo"), tuple(VALUES))
                self.assertEqual(await client.call("echo", (1, b"\x02"), timeout=WAIT), (1, b"\x02"))
                await client.emit("request", ("q", {"b": b"\x01"}))
                self.assertEqual(await client.take("reply"), ("answer", "q", {"b": b"\x01"}))
                await client.call("join", "async room", timeout=WAIT)
                await client.emit("say", ("async room", "hello"))
                self.assertEqual(await client.take("said"), ("hello",))
                await client.disconnect()

    async def test_refusal(self):
        for mode in MODES:
            with self.subTest(mode=mode):
                with self.assertRaises(socketio.exceptions.ConnectionError):
                    await self.peer(mode, namespaces=["/auth"], auth={"token": "wrong"})

    async def test_messages_during_the_upgrade(self):
        client = await self.peer("upgrade")
        for i in range(500):
            await client.emit("echo", i)
        self.assertEqual([(await client.take("echo"))[0] for _ in range(500)], list(range(500)))

    async def test_reconnect(self):
        for mode in MODES:
            with self.subTest(mode=mode):
                target = Target(PROFILE="full").start()
                self.addCleanup(target.stop)
                client = await self.peer(mode, target=target, reconnection=True)
                await client.take("welcome")
                target.kill()
                target.start()
                await client.take("welcome")
                self.assertEqual(await client.call("echo", "again", timeout=WAIT), "again")


if __name__ == "__main__":
    unittest.main()
