"""A client of Stentor in Python over Protobuf, from the same schema as the C++ one.

    protoc --proto_path=proto --python_out=generated stentor/v1/*.proto
    pip install -r examples/python/requirements.txt
    PYTHONPATH=generated python examples/python/client.py ws://127.0.0.1:5000/ws TOKEN [CHANNEL]
"""

import asyncio
import json
import sys

import websockets
from stentor.v1 import stentor_pb2 as stentor


class Refused(Exception):
    """The server said no; `reply.code` is stable, `reply.message` is for people."""

    def __init__(self, reply):
        super().__init__(f"{reply.type}: {reply.code}: {reply.message}")
        self.reply = reply


class Client:
    """One connection: requests find their replies by `request_id`, events go to `events`."""

    def __init__(self, socket):
        self.socket = socket
        self.events = asyncio.Queue()
        self.waiting = {}
        self.requests = 0

    async def run(self):
        """Reads until the connection is over."""
        try:
            async for message in self.socket:
                said = stentor.ServerMessage.FromString(message)
                kind = said.WhichOneof("message_type")
                if kind == "event":
                    self.events.put_nowait(said.event)
                elif kind == "reply" and said.reply.request_id in self.waiting:
                    self.waiting.pop(said.reply.request_id).set_result(said.reply)
        finally:
            for reply in self.waiting.values():
                reply.cancel()

    async def ask(self, verb, **parameters):
        """Sends a request; gives the `data` of its reply."""
        self.requests += 1
        request_id = str(self.requests)
        request = stentor.ClientMessage(request_id=request_id)
        # An empty message is one too: `ping` has no parameters.
        getattr(request, verb).SetInParent()
        for name, value in parameters.items():
            field = getattr(getattr(request, verb), name)
            if hasattr(field, "CopyFrom"):
                field.CopyFrom(value)
            else:
                setattr(getattr(request, verb), name, value)
        reply = self.waiting[request_id] = asyncio.get_running_loop().create_future()
        await self.socket.send(request.SerializeToString())
        said = await asyncio.wait_for(reply, 35)
        if said.status != "ok":
            raise Refused(said)
        return json.loads(said.data)


async def main(url, token, channel):
    async with websockets.connect(url, subprotocols=["stentor.v1.protobuf"]) as socket:
        first = stentor.ServerMessage.FromString(await socket.recv())
        print("hello", json.loads(first.hello.payload)["server"])
        client = Client(socket)
        reading = asyncio.create_task(client.run())
        info = stentor.ClientInfo(client_id="script", version="1.0", platform="python")
        who = await client.ask("auth", token=token, client_info=info)
        print("auth", who["user"]["username"])
        print("subscribed", (await client.ask("subscribe", channel=channel))["channel"])
        there = await client.ask("presence", channel=channel)
        print("presence", sorted(user["username"] for user in there["users"]))
        # JSON, and bytes of our own: clients of Protobuf get both as they are.
        for payload in (b'{"temperature":21.5}', b"\x00\xff"):
            await client.ask("publish", channel=channel, payload=payload, event="reading")
            event = await asyncio.wait_for(client.events.get(), 5)
            print("event", event.type, event.channel, "from", event.sender.username, event.payload)
        # Something is pressed, and a backend answers: one that has said `serve`.
        try:
            params = b'{"button":"start"}'
            print("ui_action", await client.ask("ui_action", action_type="button_click", params=params))
        except Refused as refused:
            print("refused", refused.reply.code)
        print("heartbeat", (await client.ask("heartbeat", client_time_ms=1))["server_time"])
        reading.cancel()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: client.py URL TOKEN [CHANNEL]")
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "public:hub"))
