"""What the transcripts have in common: a client at each door, and how a script is run.

A transcript is a script of acts, `async def` functions that get a `Stage`. `python3 SCRIPT ACT...` plays
them in order against the server at `ADDRESS`; a failed assertion ends it with a traceback and a status.

Law: whatever comes is looked at: each object has the members of SPEC section 3 and no others, codes are
those of the page, times and ids have their form. Limit: nothing waits longer than `DEADLINE`.
"""

import asyncio
import base64
import collections
import hashlib
import hmac
import json
import os
import re
import socket
import subprocess
import sys
import urllib.request

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

DEADLINE = 60
RETRYABLE = set("rate_limited overloaded circuit_open no_worker worker_timeout storage_full "
                "storage_unavailable internal".split())
CODES = RETRYABLE | set("bad_json bad_request unknown_type not_authenticated invalid_credentials "
                        "token_invalid token_expired token_revoked forbidden not_found conflict "
                        "too_large worker_error invalid_transition unsupported".split())
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
HELLO = {"server", "protocol", "connection_id", "heartbeat_ms", "auth_timeout_ms", "limits"}


class Closed(Exception):
    """The server closed the connection."""

    def __init__(self, code, reason):
        super().__init__(f"closed with {code}: {reason}")
        self.code, self.reason = code, reason


def equal(found, wanted, what=""):
    assert found == wanted, f"{what}\n  found  {found!r}\n  wanted {wanted!r}"


def is_time(text):
    assert TIME.fullmatch(text), f"{text!r} is no time of SPEC section 3"


def is_uuid7(text):
    assert UUID7.fullmatch(text), f"{text!r} is no UUIDv7"


def check(said):
    """The envelope of SPEC section 3; what has `status` is a reply."""
    members = set(said)
    if said.get("status") == "ok":
        assert members >= {"type", "status", "data"}, said
        assert members <= {"type", "status", "request_id", "data", "cached"}, said
    elif "status" in said:
        equal(said["status"], "error")
        assert members >= {"type", "status", "code", "message", "retryable"}, said
        allowed = {"request_id", "retry_after_ms", "field", "hint"}
        assert members - allowed == {"type", "status", "code", "message", "retryable"}, said
        assert said["code"] in CODES, said
        equal(said["retryable"], said["code"] in RETRYABLE, said)
    elif said["type"] == "bye":
        assert set(said["payload"]) - {"retry_ms"} == {"code", "reason"}, said
    else:
        assert members >= {"type", "timestamp", "payload"}, said
        allowed = {"channel", "offset", "epoch", "id", "sender"}
        assert members - allowed == {"type", "timestamp", "payload"}, said
        is_time(said["timestamp"])
        if "sender" in said:
            equal(set(said["sender"]), {"id", "username"}, said)
        if "offset" in said:
            assert isinstance(said["offset"], int) and isinstance(said["epoch"], str), said
    return said


class Client:
    """A connection: replies find their requests by `request_id`, events wait in their order."""

    def __init__(self):
        self.events, self.replies, self.requests = collections.deque(), {}, 0
        self.hello = self.user = None

    def next_id(self):
        self.requests += 1
        return self.requests

    async def read(self):
        """One object, or `Closed`."""
        # Not `wait_for`, which may lose a cancellation (Python before 3.12).
        async with asyncio.timeout(DEADLINE):
            said = check(await self.receive())
        if said["type"] == "bye":
            raise Closed(said["payload"]["code"], said["payload"]["reason"])
        return said

    async def greeted(self):
        said = await self.read()
        equal(said["type"], "hello")
        return self.greeting(said["payload"])

    def greeting(self, payload):
        self.hello = payload
        equal(set(self.hello), HELLO)
        equal(self.hello["protocol"], 1)
        assert self.hello["server"].startswith("stentor/"), self.hello
        is_uuid7(self.hello["connection_id"])
        return self

    async def say(self, verb, /, **parameters):
        """Sends a request; gives its id. `request_id=None` is without one."""
        request_id = parameters.pop("request_id", ...)
        if request_id is ...:
            request_id = self.next_id()
        await self.send(verb, request_id, parameters)
        return request_id

    async def reply(self, request_id):
        while request_id not in self.replies:
            said = await self.read()
            if "status" in said:
                self.replies[said.get("request_id")] = said
            else:
                self.events.append(said)
        return self.replies.pop(request_id)

    async def ask(self, verb, /, **parameters):
        said = await self.reply(await self.say(verb, **parameters))
        equal(said["type"], verb, said)
        return said

    async def ok(self, verb, /, **parameters):
        """Asks for what must be granted; gives its data."""
        said = await self.ask(verb, **parameters)
        equal(said["status"], "ok", said)
        return said["data"]

    async def refused(self, verb, code, /, **parameters):
        """Asks for what must be refused with this code; gives the reply."""
        said = await self.ask(verb, **parameters)
        equal(said.get("code"), code, said)
        return said

    async def event(self, word, **members):
        """The next event, which has this `type` and these members; gives all of it."""
        while not self.events:
            said = await self.read()
            if "status" in said:
                self.replies[said.get("request_id")] = said
            else:
                self.events.append(said)
        event = self.events.popleft()
        equal(event["type"], word, event)
        for name, wanted in members.items():
            equal(event.get(name), wanted, f"{name} of {event}")
        return event

    async def event_among(self, word):
        """The next event of this `type`; others before it are passed over."""
        while True:
            while not self.events:
                self.events.append(await self.read())
            event = self.events.popleft()
            if event["type"] == word:
                return event

    async def nothing(self):
        """Nothing was sent to it that nobody asked for: the answer to a ping is what comes."""
        equal(await self.ok("ping"), {})
        equal(list(self.events), [])

    async def closed(self, code):
        """The connection ends with this code, and without another word."""
        try:
            said = await self.read()
        except Closed as end:
            equal(end.code, code, end.reason)
            return end
        raise AssertionError(f"not closed: {said}")

    async def auth(self, token, **parameters):
        data = await self.ok("auth", token=token, **parameters)
        equal(set(data), {"user", "session_id", "expires_at", "resumed"})
        equal(set(data["user"]), {"id", "username", "display_name"})
        is_time(data["expires_at"])
        self.user = data["user"]["id"]
        return self


class Web(Client):
    """JSON over WebSocket, by the library `websockets`."""

    subprotocols = None

    @classmethod
    async def open(cls, stage, path="/ws", scheme="ws", host=None, subprotocols=None, **options):
        client = cls()
        url = f"{scheme}://{host or stage.host}:{stage.port}{path}"
        offered = subprotocols or cls.subprotocols
        client.socket = await connect(url, subprotocols=offered, max_size=None, **options)
        return await client.greeted()

    async def send(self, verb, request_id, parameters):
        request = {"type": verb, **parameters}
        if request_id is not None:
            request["request_id"] = request_id
        await self.socket.send(json.dumps(request))

    async def receive(self):
        frame = await self.frame()
        assert isinstance(frame, str), f"a binary frame: {frame!r}"
        assert not any(ord(letter) < 0x20 for letter in frame), f"a control: {frame!r}"
        return json.loads(frame)

    async def frame(self):
        try:
            return await self.socket.recv()
        except ConnectionClosed as end:
            code = end.rcvd.code if end.rcvd else 1006
            raise Closed(code, end.rcvd.reason if end.rcvd else "") from None

    @classmethod
    async def narrow(cls, stage):
        """One whose machine takes little at a time, so that the server notices when it stops; and
        nothing is compressed, which would make little of much."""
        small = socket.socket()
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.connect((stage.host, stage.port))
        return await cls.open(stage, sock=small, compression=None)

    async def flooded(self, count, also):
        """Every offset of `flood:1`, heard or told as a gap, and each of the other events once."""
        offsets, gaps, others = [], 0, []
        while len(offsets) < count or len(others) < len(also):
            event = await self.read()
            if event["type"] == "gap":
                equal(event["channel"], "flood:1")
                equal(set(event["payload"]), {"from", "to"})
                offsets += range(event["payload"]["from"], event["payload"]["to"] + 1)
                gaps += 1
            elif event.get("channel") == "flood:1":
                offsets.append(event["offset"])
            else:
                others.append(event["type"])
        equal((offsets, others), (list(range(1, count + 1)), also))
        assert gaps, "nothing was dropped: the reader was not slow"

    def stop_reading(self):
        """From now on it is as if the client's machine hung: no frame is taken, no ping answered."""
        self.socket.transport.pause_reading()

    def read_again(self):
        self.socket.transport.resume_reading()

    async def close(self):
        await self.socket.close()


class Lines(Client):
    """JSON, an object a line, on raw TCP."""

    @classmethod
    async def open(cls, stage):
        client = cls()
        opened = asyncio.open_connection(stage.host, stage.port, limit=1 << 20)
        client.reader, client.writer = await opened
        client.writer.write(b"\n")
        return await client.greeted()

    async def send(self, verb, request_id, parameters):
        request = {"type": verb, **parameters}
        if request_id is not None:
            request["request_id"] = request_id
        self.writer.write(json.dumps(request).encode() + b"\n")
        await self.writer.drain()

    async def receive(self):
        line = await self.reader.readline()
        if not line.endswith(b"\n"):
            raise Closed(None, "the connection ended")
        return json.loads(line)

    async def close(self):
        self.writer.close()


class Stage:
    """The server, and what is kept from one act to the next, also over its death."""

    def __init__(self):
        self.host, port = os.environ["ADDRESS"].rsplit(":", 1)
        self.port = int(port)
        try:
            with open("state.json", encoding="utf-8") as file:
                self.state = json.load(file)
        except FileNotFoundError:
            self.state = {}

    def keep(self):
        with open("state.json", "w", encoding="utf-8") as file:
            json.dump(self.state, file)

    def tokens(self, sub, role="user", teams=(), ttl="1h", count=None):
        """Tokens by `stentor token`, as an operator makes them."""
        command = [os.environ["STENTOR"], "token", "--data", "kept", "--sub", sub, "--role", role]
        command += ["--ttl", ttl] + [word for team in teams for word in ("--team", team)]
        command += ["--count", str(count)] if count else []
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [line.split()[-1] for line in said.splitlines()]

    def token(self, *arguments, **options):
        return self.tokens(*arguments, **options)[0]

    def signed(self, token, **claims):
        """The same token with other claims, signed with the server's own key: HS256, RFC 7515."""
        header, body, _ = token.split(".")
        equal(json.loads(plain(header))["alg"], "HS256")
        body = encoded(json.dumps({**json.loads(plain(body)), **claims}).encode())
        with open("kept/token.key", encoding="ascii") as file:
            key = plain(file.read().strip())
        signature = hmac.digest(key, f"{header}.{body}".encode(), hashlib.sha256)
        return f"{header}.{body}.{encoded(signature)}"

    async def turned_away(self, status, path="/ws", **options):
        """An upgrade is refused with this status; gives what is said."""
        try:
            await Web.open(self, path, **options)
        except InvalidStatus as refused:
            equal(refused.response.status_code, status)
            return refused.response.body.decode()
        raise AssertionError(f"{path} {options} was let in")

    async def users(self, *names, door=Web, **options):
        """A connection for each of them, with a token."""
        clients = []
        for name in names:
            client = await door.open(self)
            clients.append(await client.auth(self.token(name, **options)))
        return clients

    async def metrics(self, host=None):
        """What `GET /metrics` tells: a number for each name with its labels."""
        url = f"http://{host or self.host}:{self.port}/metrics"
        page = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=DEADLINE).read())
        lines = (line for line in page.decode().splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    async def counted(self, name, least=1):
        """Waits until a metric is there and so large: closing is counted a moment after it."""
        async with asyncio.timeout(DEADLINE):
            while (found := (await self.metrics()).get(name, 0)) < least:
                await asyncio.sleep(0.02)
        return found


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def plain(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def play(acts):
    """Plays the acts that the command line names."""

    async def all_of_them():
        stage = Stage()
        for name in sys.argv[1:]:
            await acts[name](stage)
            print(f"{name}: ok", flush=True)
        stage.keep()

    asyncio.run(all_of_them())
