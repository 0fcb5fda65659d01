"""A client of Protobuf over WebSocket, by what `protoc` makes of the published schema.

What comes is shown as the same object that JSON would be, so that both are held to the same page.
"""

import json

from stage import Web
from stentor.v1 import stentor_pb2 as stentor


def fill(message, parameters):
    for name, value in parameters.items():
        field = message.DESCRIPTOR.fields_by_name[name]
        if field.message_type:
            part = getattr(message, name)
            part.SetInParent()
            fill(part, value)
        elif field.type == field.TYPE_BYTES:
            setattr(message, name, value if isinstance(value, bytes) else json.dumps(value).encode())
        elif isinstance(value, list):
            getattr(message, name).extend(value)
        else:
            setattr(message, name, value)


def request(verb, request_id, parameters):
    """The bytes of a `ClientMessage`."""
    message = stentor.ClientMessage()
    if request_id is not None:
        message.request_id = request_id
    # An empty message is one too: `ping` has no parameters.
    getattr(message, verb).SetInParent()
    fill(getattr(message, verb), parameters)
    return message.SerializeToString()


def payload(data):
    """JSON where it is JSON, else the bytes."""
    try:
        return json.loads(data)
    except ValueError:
        return data


def reply(said):
    shown = {"type": said.type, "status": said.status}
    if said.request_id:
        shown["request_id"] = said.request_id
    if said.status == "ok":
        shown["data"] = json.loads(said.data)
        shown.update({"cached": True} if said.cached else {})
        return shown
    shown.update(code=said.code, message=said.message, retryable=said.retryable)
    optional = {"retry_after_ms": said.retry_after_ms, "field": said.field}
    return {**shown, **{name: value for name, value in optional.items() if value}}


def event(said):
    shown = {"type": said.type, "timestamp": said.timestamp, "payload": payload(said.payload)}
    optional = {"channel": said.channel, "offset": said.offset, "epoch": said.epoch, "id": said.id}
    shown.update({name: value for name, value in optional.items() if value})
    if said.HasField("sender"):
        shown["sender"] = {"id": said.sender.id, "username": said.sender.username}
    return shown


class Binary(Web):
    """Protobuf over WebSocket."""

    subprotocols = ["stentor.v1.protobuf"]

    def next_id(self):
        return str(super().next_id())

    async def message(self):
        frame = await self.frame()
        assert isinstance(frame, bytes), f"a text frame: {frame!r}"
        said = stentor.ServerMessage.FromString(frame)
        return said.WhichOneof("message_type"), said

    async def greeted(self):
        kind, said = await self.message()
        assert kind == "hello", said
        return self.greeting(json.loads(said.hello.payload))

    async def send(self, verb, request_id, parameters):
        await self.socket.send(request(verb, request_id, parameters))

    async def receive(self):
        kind, said = await self.message()
        assert kind in ("reply", "event"), said
        return reply(said.reply) if kind == "reply" else event(said.event)
