"""System 000, the WebSocket module of a hub: Protobuf over WebSocket, by generated code."""

import asyncio
import json
import ssl
import time

from protobuf import Binary, request, stentor
from stage import Lines, Web, equal, is_uuid7, play

INFO = {"client_id": "panel-1", "version": "4.2.0", "platform": "linux"}


async def connect(stage):
    """A token and what the client says of itself, at connect; the codec is settled once."""
    numbers = {field.name: field.number for field in stentor.ClientMessage.DESCRIPTOR.fields}
    first = ("ui_action", "data_request", "event_ack", "heartbeat", "request_id")
    equal([numbers[name] for name in first], [1, 2, 3, 4, 100])
    root, = await stage.users("root", role="admin")
    panel = await Binary.open(stage, user_agent_header="hub/4.2")
    equal(panel.socket.subprotocol, "stentor.v1.protobuf")
    await panel.auth(stage.token("panel"), client_info=INFO)
    record, = (await root.ok("connections", user_id="panel"))["connections"]
    shown = {name: record[name] for name in ("client_info", "codec", "door", "user_agent", "role")}
    equal(shown, {"client_info": INFO, "codec": "protobuf", "door": "websocket",
                  "user_agent": "hub/4.2", "role": "user"})
    equal(record["connection_id"], panel.hello["connection_id"])
    # Without a subprotocol the first frame decides: the hello before it was text, another follows.
    undecided = await Web.open(stage)
    await undecided.socket.send(request("ping", "1", {}))
    kinds = []
    for _ in range(2):
        said = stentor.ServerMessage.FromString(await undecided.frame())
        kinds.append(said.WhichOneof("message_type"))
    equal(kinds, ["hello", "reply"])
    equal((said.reply.type, said.reply.status, said.reply.request_id), ("ping", "ok", "1"))
    await undecided.socket.send('{"type":"ping"}')
    await undecided.closed(1003)
    refused = await Binary.open(stage)
    said = await refused.refused("auth", "token_invalid", token="nonsense")
    assert "hint" not in said, said
    in_path = await Binary.open(stage, f"/ws/{stage.token('panel')}")
    equal((await in_path.reply(None))["data"]["user"]["id"], "panel")


async def actions(stage):
    """UI actions and data requests find a backend, event acks and heartbeats the server."""
    backend = await (await Binary.open(stage)).auth(stage.token("backend", role="service"))
    panel = await (await Binary.open(stage)).auth(stage.token("paula"), client_info=INFO)
    await panel.refused("ui_action", "no_worker", action_type="click")
    await backend.ok("serve", actions=["ui_action:click", "data_request:users"])
    params = {"button": "start", "at": [1, 2.5, None], "text": "é ✓"}
    await panel.say("ui_action", action_type="click", request_id="outer", params=params)
    call = (await backend.event("call"))["payload"]
    is_uuid7(call["call_id"])
    equal(call, {"call_id": call["call_id"], "kind": "ui_action", "name": "click", "params": params,
                 "user": {"id": "paula", "username": "paula", "role": "user", "teams": []},
                 "deadline_ms": 30000})
    await panel.ok("ping")
    await backend.ok("call_result", call_id=call["call_id"], status="ok", data={"pressed": 1})
    equal((await panel.reply("outer"))["data"], {"pressed": 1})
    # An id inside wins over the one outside.
    message = stentor.ClientMessage(request_id="out")
    message.ui_action.action_type, message.ui_action.request_id = "click", "in"
    await panel.socket.send(message.SerializeToString())
    call = (await backend.event("call"))["payload"]
    equal(call["params"], {})
    await backend.ok("call_result", call_id=call["call_id"], status="error", message="jammed")
    said = await panel.reply("in")
    equal((said["code"], said["message"]), ("worker_error", "jammed"))

    # The answer to a data request may be given again, if its worker says so and to whom.
    for scope, others in (("user", False), ("all", True)):
        wanted = {"resource": "users", "params": {"page": scope}}
        asked = await panel.say("data_request", **wanted)
        call = (await backend.event("call"))["payload"]
        await backend.ok("call_result", call_id=call["call_id"], status="ok", data=["ana"],
                         cache_ttl_ms=60_000, cache_scope=scope)
        assert "cached" not in await panel.reply(asked)
        said = await panel.ask("data_request", **wanted)
        equal((said["data"], said["cached"]), (["ana"], True))
        other = await (await Binary.open(stage)).auth(stage.token("other"))
        asked = await other.say("data_request", **wanted)
        if not others:
            call = (await backend.event("call"))["payload"]
            await backend.ok("call_result", call_id=call["call_id"], status="ok", data=[])
        said = await other.reply(asked)
        equal((said["data"], said.get("cached")), (["ana"], True) if others else ([], None))

    await backend.ok("send", user_ids=["paula"], event="alert", payload={"n": 1})
    event = await panel.event("alert", channel="user:paula", offset=1)
    equal(await panel.ok("event_ack", channel="user:paula", offset=event["offset"]), {})
    data = await panel.ok("heartbeat", client_time_ms=int(time.time() * 1000))
    equal(set(data), {"server_time"})
    await panel.nothing()


async def topics(stage):
    """One room for Protobuf, JSON and lines: topics, broadcast, and who is there."""
    svc = await (await Binary.open(stage)).auth(stage.token("backend", role="service"))
    one = await (await Binary.open(stage)).auth(stage.token("tom"))
    two, = await stage.users("tim")
    line, = await stage.users("tina", door=Lines)
    epoch = None
    for client in (one, two, line):
        data = await client.ok("subscribe", channel="public:hub")
        epoch = epoch or data["epoch"]
        equal(data["epoch"], epoch)
    payloads = [({"t": 21.5}, {"t": 21.5}), (b"\x00\xff", {"b64": "AP8="}), ("text", "text")]
    for offset, (said, shown) in enumerate(payloads, 1):
        data = await one.ok("publish", channel="public:hub", payload=said, event="reading")
        equal(data, {"offset": offset, "epoch": epoch})
        members = {"channel": "public:hub", "offset": offset, "epoch": epoch,
                   "sender": {"id": "tom", "username": "tom"}}
        await one.event("reading", payload=said, **members)
        for client in (two, line):
            await client.event("reading", payload=shown, **members)
    await two.ok("publish", channel="public:hub", payload={"b64": "AP8="}, echo=False)
    equal((await one.event("publication", offset=4))["payload"], {"b64": "AP8="})
    await line.event("publication", offset=4)
    await svc.ok("broadcast", event="notice", payload={"down": "soon"}, exclude=["tim"])
    await svc.ok("broadcast", event="again", payload=[])
    for client in (one, line):
        await client.event("notice", channel="broadcast", payload={"down": "soon"})
    for client in (one, two, line):
        await client.event("again", channel="broadcast", payload=[])

    data = await one.ok("subscribe", channel="public:hub", presence=True)
    equal(data["presence"]["count"], 3)
    users = {user["username"]: user for user in data["presence"]["users"]}
    equal(users["tom"], {"user_id": "tom", "username": "tom", "status": "online", "connections": 1})
    await two.ok("set_status", status="busy", note="deploying")
    await one.event("presence", channel="public:hub",
                    payload={"user_id": "tim", "username": "tim", "status": "busy",
                             "note": "deploying", "change": "update"})
    await line.ok("unsubscribe", channel="public:hub")
    await one.event("presence", payload={"user_id": "tina", "username": "tina", "status": "online",
                                         "change": "leave"})
    await two.ok("set_status", status="invisible")
    equal((await one.event("presence"))["payload"]["change"], "leave")
    data = await line.ok("presence", channel="public:hub")
    equal((data["count"], [user["username"] for user in data["users"]]), (1, ["tom"]))


async def validation(stage):
    """What is wrong is refused by its code and field, and the connection goes on; up to a point."""
    panel = await (await Binary.open(stage)).auth(stage.token("vic"))
    wrong = [
        ("ui_action", {"action_type": "two words"}, "bad_request", "action_type"),
        ("ui_action", {"action_type": "x", "params": b"{no json"}, "bad_request", "params"),
        ("subscribe", {"channel": "no such name"}, "bad_request", "channel"),
        ("subscribe", {"channel": "undeclared:x"}, "forbidden", None),
        ("publish", {"channel": "public:x", "payload": 1, "event": "message"}, "bad_request",
         "event"),
        ("create_room", {"name": "x" * 65, "visibility": "public"}, "bad_request", "name"),
        ("set_status", {"status": "asleep"}, "bad_request", "status"),
        ("message", {"to": "nobody-here", "content": "x"}, "not_found", None),
        ("stats", {}, "forbidden", None),
    ]
    for verb, parameters, code, field in wrong:
        said = await panel.refused(verb, code, **parameters)
        equal(said.get("field"), field, said)
        await panel.ok("ping")
    await panel.socket.send(stentor.ClientMessage(request_id="empty").SerializeToString())
    said = await panel.reply("empty")
    equal((said["type"], said["code"], said["field"]), ("error", "bad_request", "message_type"))
    for _ in range(9):
        await panel.socket.send(b"\xff\xff\xff")
    codes = {(await panel.reply(None))["code"] for _ in range(9)}
    equal(len(codes), 1, codes)
    await panel.closed(4002)
    large = await (await Binary.open(stage)).auth(stage.token("vic"))
    await large.socket.send(request("publish", "1", {"channel": "public:x", "payload": b"x" * 65_536}))
    await large.closed(1009)


async def deadlines(stage):
    """Who does not say who it is, and who says too much, is seen off."""
    silent = await Binary.open(stage)
    equal(silent.hello["auth_timeout_ms"], 700)
    await silent.ok("ping")
    await silent.closed(4103)
    eager = await Binary.open(stage)
    for _ in range(10):
        await eager.refused("whoami", "not_authenticated")
    said = await eager.refused("whoami", "rate_limited")
    equal(said["retryable"], True)
    await eager.closed(4104)
    user = await (await Binary.open(stage)).auth(stage.token("will"))
    asked = [await user.say("whoami") for _ in range(60)]
    limited = [said for said in [await user.reply(one) for one in asked] if said["status"] == "error"]
    assert 40 <= len(limited) <= 56, len(limited)
    equal({said["code"] for said in limited}, {"rate_limited"})
    assert all(0 < said["retry_after_ms"] <= 1001 for said in limited), limited
    metrics = await stage.metrics()
    equal(metrics["stentor_auth_timeouts_total"], 1)
    assert metrics['stentor_limited_total{limit="requests"}'] >= len(limited), metrics


async def bus(stage):
    """Every important thing is told to administrators, and counted."""
    root, = await stage.users("root", role="admin")
    await root.ok("subscribe", channel="stentor:events")
    before = await stage.metrics()
    panel = await Binary.open(stage)
    user = {"user_id": "beth"}
    connection = {"connection_id": panel.hello["connection_id"]}

    async def told(word, payload):
        event = await root.event(word, channel="stentor:events")
        assert "offset" not in event, event
        equal({name: event["payload"].get(name) for name in payload}, payload, event)

    await told("connect", {**connection, "door": "websocket", "client_ip": "127.0.0.1",
                           "encrypted": False})
    await panel.refused("auth", "token_invalid", token="nonsense")
    await told("auth_failure", {**connection, "client_ip": "127.0.0.1", "why": "token_invalid"})
    await panel.auth(stage.token("beth"))
    await panel.ok("subscribe", channel="public:bus")
    await told("subscribe", {**connection, **user, "channel": "public:bus"})
    await panel.ok("publish", channel="public:bus", payload=1, echo=False)
    await told("publish", {**user, "channel": "public:bus", "offset": 1})
    room = (await panel.ok("create_room", name="den", visibility="public"))["chat"]["id"]
    await told("join", {**user, "chat_id": room})
    await panel.ok("leave_room", room_id=room)
    await told("leave", {**user, "chat_id": room})
    await panel.close()
    await told("disconnect", {**connection, **user})
    await root.nothing()
    after = await stage.metrics()
    grown = {
        'stentor_connections_opened_total{door="websocket"}': 1, "stentor_auth_failures_total": 1,
        'stentor_requests_total{verb="publish"}': 1, "stentor_publications_total": 1,
        'stentor_errors_total{code="token_invalid"}': 1,
        'stentor_requests_total{verb="subscribe"}': 1,
    }
    for name, least in grown.items():
        assert after[name] - before.get(name, 0) >= least, (name, before.get(name), after[name])
    ordinary, = await stage.users("bert")
    await ordinary.refused("subscribe", "forbidden", channel="stentor:events")


async def repeated(stage):
    """An action that is sent again is answered as before, for as long as is configured."""
    backend = await (await Binary.open(stage)).auth(stage.token("backend", role="service"))
    panel = await (await Binary.open(stage)).auth(stage.token("carl"))
    await backend.ok("serve", actions=["ui_action:order"])
    action = {"action_type": "order", "request_id": "order-7", "params": {"n": 7}}

    async def answered(data, **other):
        asked = await panel.say("ui_action", **{**action, **other})
        call = (await backend.event("call"))["payload"]
        await backend.ok("call_result", call_id=call["call_id"], status="ok", data=data)
        said = await panel.reply(asked)
        equal((said["data"], said.get("cached")), (data, None))

    await answered({"order": 1})
    said = await panel.ask("ui_action", **action)
    equal((said["data"], said["cached"]), ({"order": 1}, True))
    await answered({"order": 2}, params={"n": 8})
    await answered({"order": 3}, request_id="order-8")
    # It is kept for `calls.cache_ms`: then the backend is asked again.
    await asyncio.sleep(1.6)
    await answered({"order": 4})
    metrics = await stage.metrics()
    equal(metrics["stentor_call_cache_hits_total"], 1)
    equal(metrics["stentor_call_cache_misses_total"], 4)


async def breaker(stage):
    """Five failures in a row, and a backend is left alone; then one call tries."""
    root, = await stage.users("root", role="admin")
    await root.ok("subscribe", channel="stentor:events")
    backend = await (await Binary.open(stage)).auth(stage.token("backend", role="service"))
    panel = await (await Binary.open(stage)).auth(stage.token("dave"))
    await backend.ok("serve", actions=["ui_action:fragile", "command:late"])

    async def call(**result):
        asked = await panel.say("ui_action", action_type="fragile")
        called = (await backend.event("call"))["payload"]
        await backend.ok("call_result", call_id=called["call_id"], **result)
        return await panel.reply(asked)

    async def state(wanted):
        payload = (await root.event_among("breaker"))["payload"]
        equal(payload, {"action": "ui_action:fragile", "state": wanted})

    for _ in range(5):
        equal((await call(status="error", message="no"))["code"], "worker_error")
    await state("open")
    said = await panel.refused("ui_action", "circuit_open", action_type="fragile")
    assert 0 < said["retry_after_ms"] <= 1000, said
    await backend.nothing()
    metrics = await stage.metrics()
    equal(metrics['stentor_breakers{state="open"}'], 1)
    equal(metrics['stentor_breaker_changes_total{state="open"}'], 1)
    equal(metrics['stentor_calls_total{kind="ui_action",outcome="circuit_open"}'], 1)
    # A probe that fails opens it again, one that succeeds closes it.
    await asyncio.sleep(said["retry_after_ms"] / 1000)
    equal((await call(status="error", message="no"))["code"], "worker_error")
    await state("half_open")
    await state("open")
    said = await panel.refused("ui_action", "circuit_open", action_type="fragile")
    await asyncio.sleep(said["retry_after_ms"] / 1000)
    asked = await panel.say("ui_action", action_type="fragile")
    probe = (await backend.event("call"))["payload"]
    said = await panel.refused("ui_action", "circuit_open", action_type="fragile")
    await backend.ok("call_result", call_id=probe["call_id"], status="ok", data=1)
    equal((await panel.reply(asked))["data"], 1)
    await state("half_open")
    await state("closed")
    equal((await call(status="ok", data=2))["data"], 2)
    # Ten of the last twenty, though never five in a row.
    for number in range(40):
        said = await call(**({"status": "ok", "data": 1} if number % 3 == 2 else {"status": "error"}))
        if (await stage.metrics())['stentor_breakers{state="open"}']:
            break
    assert 10 <= number <= 16, number
    await state("open")
    # A deadline is a failure too.
    began = time.monotonic()
    said = await panel.refused("command", "worker_timeout", command="late")
    assert 0.4 <= time.monotonic() - began, "it was not waited for"
    late = (await backend.event("call"))["payload"]
    equal(late["deadline_ms"], 400)
    # The next call of the action comes behind the word that the first one is over.
    asked = await panel.say("command", command="late")
    called = (await backend.event("call"))["payload"]
    await backend.refused("call_result", "not_found", call_id=late["call_id"], status="ok")
    await backend.ok("call_result", call_id=called["call_id"], status="ok", data="in time")
    equal((await panel.reply(asked))["data"], "in time")


async def zombie(stage):
    """A client that gives no sign of life is found, told of, counted and closed."""
    root, = await stage.users("root", role="admin")
    await root.ok("subscribe", channel="stentor:events")
    alive = await (await Binary.open(stage)).auth(stage.token("alive"))
    hung = await (await Binary.open(stage)).auth(stage.token("hung"))
    equal(hung.hello["heartbeat_ms"], 200)
    hung.stop_reading()
    connection = {"connection_id": hung.hello["connection_id"], "user_id": "hung"}
    equal((await root.event_among("zombie"))["payload"], connection)
    metrics = await stage.metrics()
    equal(metrics["stentor_connections_dead_total"], 1)
    payload = (await root.event_among("disconnect"))["payload"]
    assert payload.pop("age_ms") >= 600, payload
    equal(payload, {**connection, "code": 4102, "reason": "no sign of life"})
    hung.read_again()
    await hung.closed(4102)
    # Who answers pings is left alone, whatever time passes.
    await alive.nothing()
    equal((await stage.metrics())["stentor_connections_dead_total"], 1)


async def behind(stage):
    """A panel that does not read is told what it missed, in its own codec; what is critical it gets."""
    svc = await (await Binary.open(stage)).auth(stage.token("backend", role="service"))
    slow = await (await Binary.narrow(stage)).auth(stage.token("slow"))
    await slow.ok("subscribe", channel="flood:1")
    slow.stop_reading()
    count = 200
    asked = [await svc.say("publish", channel="flood:1", payload=b"\xff" * 60_000)
             for _ in range(count)]
    asked.append(await svc.say("send", user_ids=["slow"], event="alarm", payload=1,
                               priority="critical"))
    for request_id in asked:
        equal((await svc.reply(request_id))["status"], "ok")
    slow.read_again()
    await slow.flooded(count, ["alarm"])
    await slow.nothing()
    metrics = await stage.metrics()
    assert metrics["stentor_gaps_total"] >= 1, metrics
    assert metrics['stentor_events_dropped_total{class="drop_oldest"}'] >= 1, metrics


async def secure(stage):
    """wss, and compression; both as configured."""
    trusted = ssl.create_default_context(cafile="ca.pem")
    client = await Binary.open(stage, scheme="wss", host="localhost", ssl=trusted)
    await client.auth(stage.token("sara"))
    extensions = [extension.name for extension in client.socket.protocol.extensions]
    equal(extensions, ["permessage-deflate"])
    root, = await stage.users("root", role="admin")
    record, = (await root.ok("connections", user_id="sara"))["connections"]
    equal(record["encrypted"], True)
    await client.ok("subscribe", channel="public:long")
    await client.ok("publish", channel="public:long", payload="x" * 8000)
    equal((await client.event("publication"))["payload"], "x" * 8000)
    metrics = await stage.metrics()
    equal(metrics["stentor_tls_handshakes_total"], 1)
    assert metrics["stentor_deflate_compressed_total"] >= 1, metrics
    assert metrics["stentor_deflate_saved_bytes_total"] > 7000, metrics
    try:
        await Binary.open(stage, scheme="wss", host="localhost", ssl=ssl.create_default_context())
    except ssl.SSLCertVerificationError:
        return
    raise AssertionError("a certificate that nobody signed was taken")


async def plain(stage):
    """Compression switched off, and what the log says of a connection."""
    client = await (await Binary.open(stage)).auth(stage.token("sue"))
    equal(client.socket.protocol.extensions, [])
    await client.ok("subscribe", channel="public:long")
    await client.close()
    await stage.counted("stentor_net_accepted_total", 2)
    async with asyncio.timeout(30):
        while not (closed := log("connection closed")):
            await asyncio.sleep(0.05)
    said = closed[0]
    assert said["level"].lower() == "info" and "sue" in said["message"], said


def log(message):
    """The lines of the log that begin so: objects, one a line."""
    with open("stderr.txt", encoding="utf-8") as file:
        lines = [json.loads(line) for line in file if line.startswith("{")]
    return [line for line in lines if line["message"].startswith(message)]


async def control(stage):
    """Planted: what this asks for is not so, and the script must end badly."""
    panel = await (await Binary.open(stage)).auth(stage.token("panel"))
    await panel.refused("ui_action", "circuit_open", action_type="click")


if __name__ == "__main__":
    play(globals())
