"""System 004, chat and live updates for the web: rooms, channels, limits and alerts over WebSocket."""

import asyncio
import os
import time

from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from stage import Closed, Lines, Web, equal, is_time, is_uuid7, play


async def rooms(stage):
    """Public and private, with members and metadata; a user may be there more than once."""
    ana, desk, phone = await stage.users("ana", "bob", "bob")
    eve, = await stage.users("eve")
    kept = {"topic": "launch", "tags": [1, 2]}
    room = await ana.ok("create_room", name="Lobby", visibility="public", metadata=kept)
    room = room["chat"]
    is_uuid7(room["id"])
    is_time(room["created_at"])
    owner = {"id": "ana", "username": "ana", "role": "owner"}
    equal(room, {"id": room["id"], "kind": "room", "name": "Lobby", "visibility": "public",
                 "members": [owner], "metadata": kept, "last_seq": 0, "read_seq": 0, "unread": 0,
                 "created_at": room["created_at"], "last_message": None})
    hidden = await ana.ok("create_room", name="Lobby two", visibility="private")
    hidden = hidden["chat"]["id"]
    listed, = (await desk.ok("list_rooms", query="lobby"))["rooms"]
    equal(listed, {"id": room["id"], "kind": "room", "name": "Lobby", "visibility": "public",
                   "metadata": kept, "last_seq": 0, "created_at": room["created_at"],
                   "member_count": 1})
    channel = f"room:{room['id']}"
    joined = (await desk.ok("join_room", room_id=room["id"]))["chat"]
    equal([member["role"] for member in joined["members"]], ["owner", "member"])
    change = {"chat_id": room["id"], "user": {"id": "bob", "username": "bob"}}
    for client in (ana, phone):
        await client.event("member:joined", channel=channel, offset=1, epoch="1", payload=change)
    await desk.refused("join_room", "not_found", room_id=hidden)

    # Every connection of every member hears a message, but the one that sent it.
    sent = await desk.ok("message", chat_id=room["id"], content="hallo ✓", client_id="1",
                         metadata={"color": "red"})
    message = sent["message"]
    equal(message, {"id": message["id"], "chat_id": room["id"], "seq": 1, "content": "hallo ✓",
                    "sender": {"id": "bob", "username": "bob"}, "client_id": "1",
                    "metadata": {"color": "red"}, "created_at": message["created_at"]})
    for client in (ana, phone):
        await client.event("message", channel=channel, offset=2, payload=message,
                           sender={"id": "bob", "username": "bob"})
    # A retry is no second message.
    equal(await desk.ok("message", chat_id=room["id"], content="hallo ✓", client_id="1"),
          {"message": message, "duplicate": True})
    answer = await ana.ok("message", chat_id=room["id"], content="re", reply_to=message["id"])
    for client in (desk, phone):
        await client.event("message", offset=3, payload=answer["message"])
    edited = (await desk.ok("edit_message", message_id=message["id"], content="hi"))["message"]
    is_time(edited["edited_at"])
    for client in (ana, phone):
        await client.event("message:edited", offset=4, payload=edited)
    equal(await phone.ok("typing", chat_id=room["id"], active=True), {})
    for client in (ana, desk):
        event = await client.event("typing", channel=channel, payload={
            "chat_id": room["id"], "user_id": "bob", "username": "bob", "active": True})
        assert "offset" not in event, event
    equal(await desk.ok("mark_read", chat_id=room["id"], seq=2), {"unread": 0})
    read = {"chat_id": room["id"], "user_id": "bob", "seq": 2}
    for client in (ana, phone):
        await client.event("read", offset=5, payload=read)
    equal(await ana.ok("delete_message", message_id=message["id"]), {})
    gone = {"id": message["id"], "chat_id": room["id"], "seq": 1}
    for client in (desk, phone):
        await client.event("message:deleted", offset=6, payload=gone)
    found = await phone.ok("search_messages", query="re", chat_id=room["id"])
    equal(found["messages"], [answer["message"]])
    equal((await eve.ok("search_messages", query="re"))["messages"], [])
    page = (await phone.ok("get_messages", chat_id=room["id"]))["messages"]
    equal([(one["seq"], one["content"]) for one in page], [(1, ""), (2, "re")])

    # Who owns it changes it; who is gone hears nothing.
    await desk.refused("update_chat", "forbidden", chat_id=room["id"], name="mine")
    new = {"name": "Hall", "visibility": "private", "metadata": {"topic": "next"}}
    await ana.ok("update_chat", chat_id=room["id"], **new)
    for client in (desk, phone):
        payload = (await client.event("chat:updated", offset=7))["payload"]
        equal({name: payload[name] for name in new}, new)
        assert "unread" not in payload, payload
    await eve.refused("join_room", "not_found", room_id=room["id"])
    await ana.ok("add_members", chat_id=room["id"], user_ids=["eve"])
    for client in (desk, phone, eve):
        await client.event("member:joined", offset=8)
    await ana.ok("remove_member", chat_id=room["id"], user_id="bob")
    for client in (desk, phone, eve):
        await client.event("member:left", offset=9, payload=change)
    await ana.ok("message", chat_id=room["id"], content="without you")
    await eve.event("message", offset=10)
    for client in (desk, phone):
        await client.refused("get_messages", "not_found", chat_id=room["id"])
        await client.nothing()
    equal((await eve.ok("get_user_chats"))["chats"][0]["unread"], 1)


async def channels(stage):
    """`broadcast`, `user:{id}`, `room:{id}`; and for services all rooms and all users at once."""
    svc, = await stage.users("relay", role="service")
    uma, vic = await stage.users("uma", "vic")
    watcher, = await stage.users("watcher", role="service")
    for client, pattern in ((svc, "room:*"), (watcher, "user:*")):
        await uma.refused("subscribe", "forbidden", channel=pattern)
        data = await client.ok("subscribe", channel=pattern)
        equal((data["channel"], data["events"], data["more"]), (pattern, [], False))
    room = (await uma.ok("create_room", name="live", visibility="public"))["chat"]["id"]
    channel = f"room:{room}"
    await vic.ok("join_room", room_id=room)
    await svc.event("member:joined", channel=channel, offset=1)
    await uma.event("member:joined", channel=channel, offset=1)
    sent = (await vic.ok("message", chat_id=room, content="hello"))["message"]
    for client in (svc, uma):
        await client.event("message", channel=channel, offset=2, payload=sent)
    equal(await svc.ok("unsubscribe", channel="room:*"), {})
    await vic.ok("message", chat_id=room, content="again")
    again = await uma.event("message", offset=3)
    await svc.ok("broadcast", event="deploy", payload={"v": 2})
    for client in (uma, vic):
        await client.event("deploy", channel="broadcast", payload={"v": 2})
    await svc.ok("send", user_ids=["uma"], event="toast", payload={"n": 1})
    toast = await uma.event("toast", channel="user:uma", offset=1, epoch="1")
    await watcher.event("deploy", channel="broadcast")
    equal(await watcher.event("toast"), toast)
    # What a room and an inbox keep can be read again, in order, from where one was.
    data = await vic.ok("subscribe", channel=channel, since={"offset": 1, "epoch": "1"})
    equal((data["offset"], data["recovered"], data["more"]), (3, True, False))
    equal([event["offset"] for event in data["events"]], [2, 3])
    equal(data["events"][1], again)
    data = await uma.ok("history", channel="user:uma")
    equal(data, {"events": [toast], "offset": 1, "epoch": "1", "more": False})
    for channel in ("user:uma", "broadcast", f"room:{room}"):
        await vic.refused("publish", "forbidden", channel=channel, payload=1)
    for client in (svc, vic, watcher):
        await client.nothing()


async def sizes(stage):
    """64 KB, to the byte, in and out; 16 KB before authentication."""
    one, two = await stage.users("xena", "xeno")
    equal(one.hello["limits"]["message_bytes"], 65_536)
    room = (await one.ok("create_room", name="long", visibility="public"))["chat"]["id"]
    await two.ok("join_room", room_id=room)
    await one.event("member:joined")

    def request(bytes_in_all):
        frame = '{"type":"message","request_id":"long","chat_id":"%s","content":"%s"}'
        return frame % (room, "x" * (bytes_in_all - len(frame % (room, ""))))

    await one.socket.send(request(65_536))
    sent = (await one.reply("long"))["data"]["message"]
    assert len(sent["content"]) > 65_400, len(sent["content"])
    await two.event("message", payload=sent)
    await one.socket.send(request(65_537))
    await one.closed(1009)
    await two.nothing()
    # The same on lines, with an error that says so.
    line, = await stage.users("xara", door=Lines)
    line.writer.write(b'{"type":"ping","request_id":1,"x":"' + b"x" * 65_499 + b'"}\n')
    equal((await line.reply(1))["status"], "ok")
    line.writer.write(b'{"type":"ping","request_id":1,"x":"' + b"x" * 65_500 + b'"}\n')
    equal((await line.reply(None))["code"], "too_large")
    await line.closed(1009)
    stranger = await Web.open(stage)
    await stranger.socket.send('{"type":"ping","request_id":1,"x":"' + "x" * 16_347 + '"}')
    equal((await stranger.reply(1))["status"], "ok")
    await stranger.socket.send('{"type":"ping","request_id":1,"x":"' + "x" * 16_348 + '"}')
    await stranger.closed(1009)


async def minute(stage):
    """60 chat messages a minute, of a user; not of a service, and nothing else is held up."""
    one, two = await stage.users("yves", "yves")
    svc, = await stage.users("relay", role="service")
    room = (await one.ok("create_room", name="busy", visibility="public"))["chat"]["id"]
    await svc.ok("join_room", room_id=room)
    began = time.monotonic()
    asked = [(client, await client.say("message", chat_id=room, content=str(number)))
             for number in range(40) for client in (one, two)]
    said = [await client.reply(request_id) for client, request_id in asked]
    # One comes back each second that it takes.
    room_for = 60 + time.monotonic() - began + 1
    sent = [one["data"]["message"]["seq"] for one in said if one["status"] == "ok"]
    assert 60 <= len(sent) <= room_for, (len(sent), room_for)
    equal(sorted(sent), list(range(1, len(sent) + 1)))
    for one_of_them in said:
        if one_of_them["status"] == "error":
            equal((one_of_them["code"], one_of_them["retryable"]), ("rate_limited", True))
            assert 0 < one_of_them["retry_after_ms"] <= 1001, one_of_them
    await one.ok("get_messages", chat_id=room)
    for number in range(70):
        await svc.ok("message", chat_id=room, content=str(number))
    assert (await stage.metrics())['stentor_limited_total{limit="messages"}'] >= 1


async def origins(stage):
    """Which pages may connect: those of the list, and who is no page."""
    client = await Web.open(stage, origin="https://app.example")
    await client.auth(stage.token("zoe"))
    await Web.open(stage)
    foreign = ("https://evil.example", "http://app.example", "https://app.example:8443",
               "https://app.example.evil", "null", "http://localhost:3000")
    for origin in foreign:
        await stage.turned_away(403, origin=origin)
    await stage.counted("stentor_origins_refused_total", len(foreign))
    equal((await stage.metrics())["stentor_origins_refused_total"], len(foreign))


async def own_origins(stage):
    """Without a list: the server's own page, and on this machine those of this machine."""
    for origin in (f"http://{stage.host}:{stage.port}", "http://localhost:3000",
                   "http://127.0.0.1:8080", "null", None):
        await Web.open(stage, origin=origin)
    for origin in ("https://evil.example", "http://localhost.evil:3000"):
        await stage.turned_away(403, origin=origin)


async def sessions(stage):
    """A JWT at connect, and a session that is looked after from then on."""
    account = {"username": "kim", "password": "a long password"}
    first = await Web.open(stage)
    login = await first.ok("register", **account)
    second = await Web.open(stage, f"/ws/{login['token']}")
    equal((await second.reply(None))["data"]["session_id"], login["session_id"])
    other = await Web.open(stage)
    await other.ok("login", **account)
    equal(await other.ok("revoke_session", session_id=login["session_id"]), {})
    for client in (first, second):
        await client.closed(4300)
    late = await Web.open(stage, f"/ws/{login['token']}")
    equal((await late.reply(None))["code"], "token_revoked")
    await late.closed(4302)
    await other.ok("whoami")
    # A new password ends every other session.
    third = await Web.open(stage)
    await third.ok("login", **account)
    await other.ok("change_password", old_password=account["password"], new_password="a new password")
    await other.ok("whoami")


async def alerts(stage):
    """More connections than is good, errors, round trips: told once, as event and metric."""
    root = await (await Lines.open(stage)).auth(stage.token("root", role="admin"))
    await root.ok("subscribe", channel="stentor:events")

    async def told(alert, raised):
        while True:
            event = await root.event_among("alert")
            if (event["payload"]["alert"], event["payload"]["raised"]) == (alert, raised):
                break
        payload = event["payload"]
        equal(set(payload), {"alert", "raised", "value", "limit"})
        assert (payload["value"] > payload["limit"]) == raised, payload
        gauge = (await stage.metrics())[f'stentor_alerts{{alert="{alert}"}}']
        equal(gauge, float(raised))
        return payload

    async def until_told(alert, raised, doing):
        """Something goes on until the alert says so."""
        task = asyncio.create_task(doing)
        try:
            return await told(alert, raised)
        finally:
            task.cancel()
            await asyncio.wait([task])

    users = await stage.users(*[f"alf{number}" for number in range(6)])
    equal((await told("connections", True))["limit"], 5)
    for user in users[2:]:
        await user.close()
    await told("connections", False)

    # Two in a hundred are more than one percent.
    svc, = await stage.users("relay", role="service")

    async def requests(verbs):
        while True:
            asked = [await svc.say(verb) for verb in verbs]
            for request_id in asked:
                await svc.reply(request_id)

    good = ["whoami"] * 200
    equal((await until_told("errors", True, requests(good + ["stats"] * 4)))["limit"], 1)
    await until_told("errors", False, requests(good))

    # Clients that take their time over a ping; who is on lines is not pinged.
    users = users[:2] + await stage.users(*[f"alf{number}" for number in range(4)])

    async def dawdle():
        while True:
            for user in users:
                user.stop_reading()
            await asyncio.sleep(0.6)
            for user in users:
                user.read_again()
            await asyncio.sleep(0.05)

    equal((await until_told("round_trip", True, dawdle()))["limit"], 100)
    for user in users:
        user.read_again()
    await told("round_trip", False)


async def addresses(stage):
    """5 connections a second from one address, 40 at once; this machine itself is exempt."""

    async def wave(host):
        async def one():
            try:
                client = await Web.open(stage, host=host)
            except (InvalidStatus, InvalidMessage, ConnectionClosed, Closed, OSError) as end:
                return end
            return client
        return await asyncio.gather(*(one() for _ in range(70)))

    began = time.monotonic()
    outside = await wave(os.environ["OUTSIDE"])
    room_for = 40 + 5 * (time.monotonic() - began) + 1
    let_in = [one for one in outside if isinstance(one, Web)]
    assert 40 <= len(let_in) <= room_for, (len(let_in), room_for)
    for refused in outside:
        if not isinstance(refused, Web):
            assert isinstance(refused, InvalidStatus), repr(refused)
            equal(refused.response.status_code, 503)
            assert int(refused.response.headers["Retry-After"]) >= 1, refused
    await stage.counted('stentor_limited_total{limit="connects"}', 70 - len(let_in))
    inside = await wave("127.0.0.1")
    assert all(isinstance(one, Web) for one in inside), inside
    # Beyond this machine, pages of "localhost" are those of others.
    await stage.turned_away(403, origin="http://localhost:3000")


async def control(stage):
    """Planted: what this asks for is not so, and the script must end badly."""
    client = await Web.open(stage)
    equal(client.hello["limits"]["message_bytes"], 65_537)


if __name__ == "__main__":
    play(globals())
