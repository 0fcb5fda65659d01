"""System 001, the real-time layer of an agent platform: JSON over WebSocket, as its web front end spoke."""

import asyncio
import time

from stage import DEADLINE, Lines, Web, equal, is_time, is_uuid7, play

OWN = {"id": "backend", "username": "backend"}


async def door(stage):
    """A JWT with each connection, in every place where it may stand; shown anew in place."""
    token = stage.token("ana")
    shown = [
        {"path": f"/ws/{token}"},
        {"additional_headers": {"Authorization": f"Bearer {token}"}},
        {"subprotocols": ["stentor.v1.json", f"bearer.{token}"]},
    ]
    for options in shown:
        client = await Web.open(stage, **options)
        data = (await client.reply(None))["data"]
        equal(data["user"], {"id": "ana", "username": "ana", "display_name": "ana"})
        equal((await client.ok("whoami"))["role"], "user")
        chosen = "stentor.v1.json" if "subprotocols" in options else None
        equal(client.socket.subprotocol, chosen)
    hint = await stage.turned_away(400, subprotocols=[f"bearer.{token}"])
    assert "stentor.v1.json" in hint, hint
    await stage.turned_away(404, "/elsewhere")
    await stage.turned_away(403, origin="https://evil.example")

    head, body, signature = token.split(".")
    bad = [
        ("nonsense", "token_invalid", 4302),
        (f"{head}.{body}.{'A' * len(signature)}", "token_invalid", 4302),
        (stage.signed(token, nbf=int(time.time()) + 3600), "token_invalid", 4302),
        (stage.signed(token, exp=int(time.time()) - 60), "token_expired", 4301),
    ]
    for token, code, close in bad:
        client = await Web.open(stage, f"/ws/{token}")
        said = await client.reply(None)
        equal((said["type"], said["code"]), ("auth", code))
        await client.closed(close)


async def renewal(stage):
    """A connection does not outlive its token, unless it is renewed in place."""
    doomed, kept = await stage.users("rita", "rita", ttl="2s")
    before = (await kept.ok("whoami"))["expires_at"]
    data = await kept.ok("auth", token=stage.token("rita"))
    assert data["expires_at"] > before, (data, before)
    said = await kept.refused("auth", "conflict", token=stage.token("somebody"))
    assert "hint" in said, said
    equal((await kept.ok("whoami"))["user"]["id"], "rita")
    await doomed.closed(4301)
    await kept.nothing()


async def replay(stage):
    """A refresh token that is shown twice costs the session, on every connection of it."""
    desk, eve = await Web.open(stage), await Web.open(stage)
    account = {"username": "cara", "password": "a long password"}
    first = await desk.ok("register", **account)
    equal(set(first), {"user", "session_id", "token", "refresh_token", "expires_at", "resumed"})
    is_uuid7(first["user"]["id"])
    second = await desk.ok("refresh", refresh_token=first["refresh_token"])
    equal(set(second), {"token", "refresh_token", "expires_at"})
    phone = await (await Web.open(stage)).auth(second["token"])
    await eve.refused("refresh", "token_revoked", refresh_token=first["refresh_token"])
    await desk.closed(4300)
    await phone.closed(4300)
    await eve.refused("auth", "token_revoked", token=second["token"])
    await eve.refused("refresh", "token_revoked", refresh_token=second["refresh_token"])
    await eve.refused("login", "invalid_credentials", username="cara", password="a wrong password")
    await eve.refused("login", "invalid_credentials", username="nobody", password="a wrong password")
    # Two logins; one ends the other, and then itself.
    third = await eve.ok("login", **account)
    tablet = await Web.open(stage)
    await tablet.ok("login", **account)
    sessions = (await tablet.ok("sessions"))["sessions"]
    equal([session["id"] for session in sessions if not session["current"]], [third["session_id"]])
    equal(await tablet.ok("revoke_session", session_id=third["session_id"]), {})
    await eve.closed(4300)
    equal(await tablet.ok("logout"), {})
    await tablet.refused("whoami", "not_authenticated")


async def messages(stage):
    """To one user on all devices, to everyone but some, to who has subscribed."""
    svc, = await stage.users("backend", role="service")
    desk, phone, bia = await stage.users("dora", "dora", "bia")
    payload = {"number": 7, "text": "Grüße \n ✓"}
    equal(await svc.ok("send", user_ids=["dora"], event="invoice", payload=payload), {})
    for device in (desk, phone):
        event = await device.event("invoice", channel="user:dora", payload=payload, sender=OWN)
        equal((event["offset"], event["epoch"]), (1, "1"))
    equal(await svc.ok("broadcast", event="pause", payload=1, exclude=["bia"]), {})
    equal(await svc.ok("broadcast", payload={"back": True}), {})
    for client, words in ((desk, ["pause", "publication"]), (phone, ["pause", "publication"]),
                          (bia, ["publication"])):
        for word in words:
            event = await client.event(word, channel="broadcast", sender=OWN)
            assert "offset" not in event, event
    await svc.nothing()
    await bia.refused("send", "forbidden", user_ids=["dora"], event="x", payload=1)
    await bia.refused("broadcast", "forbidden", payload=1)
    said = await svc.refused("send", "not_found", user_ids=["dora", "ghost"], event="x", payload=1)
    equal(said["field"], "user_ids")
    said = await svc.refused("send", "bad_request", user_ids=["dora"], event="message", payload=1)
    equal(said["field"], "event")

    data = await desk.ok("subscribe", channel="public:plan")
    epoch = data["epoch"]
    equal(data, {"channel": "public:plan", "offset": 0, "epoch": epoch, "events": [], "more": False})
    await bia.ok("subscribe", channel="public:plan")
    asked = await bia.say("publish", channel="public:plan", payload={"n": 1}, event="tick")
    equal(await bia.read(), {"type": "publish", "status": "ok", "request_id": asked,
                             "data": {"offset": 1, "epoch": epoch}})
    members = {"channel": "public:plan", "offset": 1, "epoch": epoch, "payload": {"n": 1},
               "sender": {"id": "bia", "username": "bia"}}
    for client in (bia, desk):
        await client.event("tick", **members)
    for duplicate in (None, True):
        data = await bia.ok("publish", channel="public:plan", payload=2, echo=False, client_id="c")
        equal((data["offset"], data.get("duplicate")), (2, duplicate))
    await desk.event("publication", offset=2, payload=2)
    await bia.nothing()
    await desk.nothing()
    equal(await desk.ok("unsubscribe", channel="public:plan"), {})
    await bia.ok("publish", channel="public:plan", payload=3)
    since = {"offset": 1, "epoch": epoch}
    data = await desk.ok("subscribe", channel="public:plan", since=since)
    equal((data["recovered"], data["offset"], data["more"]), (True, 3, False))
    equal([event["payload"] for event in data["events"]], [2, 3])
    said = await bia.refused("publish", "bad_request", channel="public:plan", payload=1, event="read")
    equal(said["field"], "event")


async def records(stage):
    """What an administrator sees of a connection, and does to it."""
    root, = await stage.users("root", role="admin")
    info = {"client_id": "browser-1", "version": "2.1", "platform": "web"}
    ana = await Web.open(stage, user_agent_header="front/1.0")
    token = stage.token("anais")
    await ana.auth(token, client_info=info)
    await ana.ok("subscribe", channel="public:news")
    await ana.refused("connections", "forbidden")
    record, = (await root.ok("connections", user_id="anais"))["connections"]
    is_time(record["connected_at"])
    assert record["last_activity"] >= record["connected_at"], record
    equal(record, {
        "connection_id": ana.hello["connection_id"], "user": {"id": "anais", "username": "anais"},
        "role": "user", "connected_at": record["connected_at"], "channels": ["public:news"],
        "last_activity": record["last_activity"], "channel_count": 1, "client_ip": "127.0.0.1",
        "user_agent": "front/1.0", "client_info": info, "door": "websocket", "codec": "json",
        "encrypted": False, "loop": record["loop"],
    })
    kicked = {"connection_id": ana.hello["connection_id"], "reason": "maintenance"}
    equal(await root.ok("kick", **kicked), {"closed": 1})
    equal((await ana.closed(4000)).reason, "maintenance")
    await root.refused("kick", "not_found", **kicked)
    one, two = await stage.users("anais", "anais")
    equal(await root.ok("revoke_user", user_id="anais"), {})
    await one.closed(4300)
    await two.closed(4300)
    again = await Web.open(stage)
    await again.refused("auth", "token_revoked", token=token)
    again = await Web.open(stage, f"/ws/{token}")
    equal((await again.reply(None))["code"], "token_revoked")
    await again.closed(4302)


async def notifications(stage):
    """Made by a backend, counted while unread, read on one device and seen on the other."""
    svc, = await stage.users("backend", role="service")
    desk, phone, other = await stage.users("nina", "nina", "noah")
    made = []
    for level in ("info", "success", "warning", "error"):
        action = {"type": "open", "payload": {"level": level}}
        given = {"level": level, "title": f"a {level}", "message": "look", "action": action}
        note = (await svc.ok("create_notification", user_id="nina", **given))["notification"]
        is_uuid7(note["id"])
        is_time(note["created_at"])
        equal(note, {"id": note["id"], "user_id": "nina", "type": level, "title": f"a {level}",
                     "message": "look", "read": False, "created_at": note["created_at"],
                     "action": action})
        made.append(note)
        for device in (desk, phone):
            await device.event("notification", channel="user:nina", offset=len(made), payload=note)
    given = {"user_id": "nina", "title": "t", "message": "m"}
    said = await svc.refused("create_notification", "bad_request", level="urgent", **given)
    equal(said["field"], "level")
    await desk.refused("create_notification", "forbidden", level="info", **given)

    data = await desk.ok("get_notifications")
    equal(data, {"notifications": made[::-1], "unread_count": 4})
    page = await desk.ok("get_notifications", limit=2, before=made[2]["id"])
    equal([note["id"] for note in page["notifications"]], [made[1]["id"], made[0]["id"]])
    read = {"notification_id": made[0]["id"]}
    equal(await phone.ok("mark_as_read", **read), {"unread_count": 3})
    await desk.event("notification:read", channel="user:nina", payload=read)
    await other.refused("mark_as_read", "not_found", **read)
    page = await desk.ok("get_notifications", unread_only=True)
    equal([note["id"] for note in page["notifications"]], [note["id"] for note in made[:0:-1]])
    equal(await desk.ok("mark_all_as_read"), {"unread_count": 0})
    await phone.event("notification:read", payload={"all": True})
    equal((await phone.ok("get_notifications", unread_only=True))["notifications"], [])
    await desk.nothing()
    await other.nothing()


async def executions(stage):
    """queued, running, completed or failed; never back; a late subscriber is told the state."""
    svc, = await stage.users("backend", role="service")
    ana, late = await stage.users("olga", "otto", teams=["ops"])
    await ana.ok("subscribe", channel="team:ops")
    own = {"execution_id": "run-7", "team_id": "ops"}
    steps = [
        {"status": "queued"},
        {"status": "running", "progress": 10, "current_step": "copy"},
        {"status": "running", "progress": 60, "current_step": "check"},
        {"status": "completed", "result": {"rows": 7}},
    ]
    done = {**own, "progress": 0}
    for number, step in enumerate(steps, 1):
        data = await svc.ok("update_execution", **own, **step)
        done = {**done, **step, "updated_at": data["execution"]["updated_at"]}
        if step["status"] == "completed":
            done["progress"] = 100
        equal(data, {"execution": done})
        await ana.event("execution_update", channel="team:ops", offset=number, payload=done)
        if number == 2:
            state = (await late.ok("subscribe", channel="execution:run-7"))["state"]
            equal(state, done)
        elif number > 2:
            await late.event("execution_update", channel="execution:run-7", payload=done)
        if number == 3:
            await svc.refused("update_execution", "invalid_transition", **own, status="running",
                              progress=20)
            await svc.refused("update_execution", "invalid_transition", **own, status="queued")
    await svc.refused("update_execution", "invalid_transition", **own, status="running")
    equal(await late.ok("get_execution", execution_id="run-7"), {"execution": done})
    other = {"execution_id": "run-8", "team_id": "ops", "status": "running"}
    await svc.ok("update_execution", **other)
    failed = await svc.ok("update_execution", **{**other, "status": "failed", "error": "no disk"})
    equal(failed["execution"]["error"], "no disk")
    data = await late.ok("list_executions", team_id="ops")
    equal([one["execution_id"] for one in data["executions"]], ["run-8", "run-7"])
    data = await late.ok("list_executions", team_id="ops", status="completed")
    equal(data, {"executions": [done], "more": False})
    await ana.refused("update_execution", "forbidden", **own, status="running")


async def commands(stage):
    """A backend carries them out, and is told by the server who sent them."""
    worker, thief = await stage.users("backend", "thief", role="service")
    ana, = await stage.users("paul", teams=["ops"])
    forged = {"id": 7, "user": {"id": "root", "role": "admin"}}
    await ana.refused("command", "no_worker", command="stop", params=forged)
    await ana.refused("serve", "forbidden", actions=["command:stop"])
    equal(await worker.ok("serve", actions=["command:stop", "data_request:runs"]), {})
    asked = await ana.say("command", command="stop", params=forged)
    call = (await worker.event("call"))["payload"]
    equal(call, {"call_id": call["call_id"], "kind": "command", "name": "stop", "params": forged,
                 "user": {"id": "paul", "username": "paul", "role": "user", "teams": ["ops"]},
                 "deadline_ms": 30000})
    answer = {"call_id": call["call_id"], "status": "ok", "data": {"stopped": 7}}
    await thief.refused("call_result", "not_found", **answer)
    await ana.nothing()
    equal(await worker.ok("call_result", **answer), {})
    equal(await ana.reply(asked), {"type": "command", "status": "ok", "request_id": asked,
                                   "data": {"stopped": 7}})
    await worker.refused("call_result", "not_found", **answer)
    asked = await ana.say("command", command="stop")
    call = (await worker.event("call"))["payload"]
    equal(call["params"], {})
    await worker.ok("call_result", call_id=call["call_id"], status="error", message="not now")
    said = await ana.reply(asked)
    equal((said["code"], said["message"]), ("worker_error", "not now"))
    # A worker that goes away in mid-call is told at once.
    asked = await ana.say("data_request", resource="runs")
    await worker.event("call")
    await worker.close()
    equal((await ana.reply(asked))["code"], "worker_error")


async def away(stage):
    """What comes while a user is away is there afterwards, and `sync` tells the rest."""
    svc, = await stage.users("backend", role="service")
    bob, = await stage.users("quin")
    device = {"client_info": {"client_id": "browser-2"}}
    token = stage.token("rosa", teams=["lab"])
    rosa = await (await Web.open(stage)).auth(token, **device)
    group = (await bob.ok("create_group", group_name="crew", member_ids=["rosa"]))["chat"]
    await rosa.event("group:created", channel=f"room:{group['id']}")
    await bob.ok("message", chat_id=group["id"], content="one")
    seen = await rosa.event("message", offset=1)
    await rosa.ok("subscribe", channel="public:board")
    board = await bob.ok("publish", channel="public:board", payload="before")
    await rosa.event("publication", payload="before")
    since = (await rosa.ok("sync", since="2020-01-01T00:00:00Z"))["server_time"]
    is_time(since)
    await rosa.close()

    for number in (1, 2):
        await svc.ok("send", user_ids=["rosa"], event="task", payload={"n": number})
    note = await svc.ok("create_notification", user_id="rosa", level="info", title="t", message="m")
    run = await svc.ok("update_execution", execution_id="lab-1", team_id="lab", status="running")
    await svc.ok("update_execution", execution_id="x-1", team_id="dev", status="running")
    missed = await bob.ok("message", chat_id=group["id"], content="two")
    await bob.ok("publish", channel="public:board", payload="after")

    rosa = await Web.open(stage)
    room = f"room:{group['id']}"
    resume = {"public:board": board, room: {"offset": seen["offset"], "epoch": seen["epoch"]}}
    data = await rosa.ok("auth", token=token, resume=resume, **device)
    for channel, top in (("public:board", 2), (room, 2)):
        resumed = data["resumed"][channel]
        equal((resumed["recovered"], resumed["offset"], resumed["more"]), (True, top, False))
    # Each channel in its order; of two channels nothing is said.
    while len(rosa.events) < 5:
        rosa.events.append(await rosa.read())
    came = {}
    while rosa.events:
        event = rosa.events.popleft()
        came.setdefault(event["channel"], []).append(event)
    equal([event["payload"] for event in came["public:board"]], ["after"])
    equal([event["payload"] for event in came[room]], [missed["message"]])
    inbox = came["user:rosa"]
    equal([event["offset"] for event in inbox], [1, 2, 3])
    equal([event["type"] for event in inbox], ["task", "task", "notification"])
    equal([inbox[0]["payload"]["n"], inbox[1]["payload"]["n"]], [1, 2])
    equal(inbox[2]["payload"], note["notification"])
    await rosa.nothing()
    data = await rosa.ok("sync", since=since)
    equal(set(data), {"chats", "notifications", "executions", "server_time", "more"})
    chat, = data["chats"]
    equal(chat["messages"][-1], missed["message"])
    equal((chat["chat"]["id"], chat["chat"]["unread"]), (group["id"], 2))
    equal(data["notifications"], [note["notification"]])
    equal(data["executions"], [run["execution"]])
    said = await rosa.refused("sync", "bad_request", since="yesterday")
    equal(said["field"], "since")


async def isolation(stage):
    """Nobody sees what is another user's or another team's, whether it exists or not."""
    svc, = await stage.users("backend", role="service")
    sven, = await stage.users("sven", teams=["red"])
    tess, = await stage.users("tess", teams=["blue"])
    await svc.ok("update_execution", execution_id="red-1", team_id="red", status="running")
    note = await svc.ok("create_notification", user_id="sven", level="info", title="t", message="m")
    room = await sven.ok("create_room", name="den", visibility="private")
    room = room["chat"]["id"]
    written = await sven.ok("message", chat_id=room, content="secret")
    for channel in ("execution:red-1", "execution:none", "team:red", "user:sven", "user:none",
                    f"room:{room}", "stentor:events", "undeclared:x", "user:*"):
        await tess.refused("subscribe", "forbidden", channel=channel)
        if "*" not in channel:
            await tess.refused("history", "forbidden", channel=channel)
            await tess.refused("publish", "forbidden", channel=channel, payload=1)
    await tess.refused("get_execution", "not_found", execution_id="red-1")
    await tess.refused("get_execution", "not_found", execution_id="none")
    await tess.refused("list_executions", "forbidden", team_id="red")
    none = "018bcfe5-687b-7fff-bfff-ffffffffffff"
    for chat in (room, none):
        await tess.refused("get_messages", "not_found", chat_id=chat)
        await tess.refused("message", "not_found", chat_id=chat, content="x")
        await tess.refused("join_room", "not_found", room_id=chat)
        await tess.refused("mark_read", "not_found", chat_id=chat, seq=1)
    for message in (written["message"]["id"], none):
        await tess.refused("edit_message", "not_found", message_id=message, content="x")
        await tess.refused("delete_message", "not_found", message_id=message)
    await tess.refused("mark_as_read", "not_found",
                       notification_id=note["notification"]["id"])
    equal((await tess.ok("get_notifications"))["notifications"], [])
    equal((await tess.ok("get_user_chats"))["chats"], [])
    equal((await tess.ok("list_rooms", query="den"))["rooms"], [])
    await tess.nothing()


async def crowd(stage):
    """120 clients at once; each hears all of them, and all in one order."""
    count = 120
    tokens = stage.tokens("crowd", count=count)

    async def one(number):
        client = await Web.open(stage, f"/ws/{tokens[number]}", open_timeout=DEADLINE)
        await client.reply(None)
        await client.ok("subscribe", channel="public:crowd")
        return client

    clients = await asyncio.gather(*map(one, range(count)))
    stats = await (await stage.users("root", role="admin"))[0].ok("stats")
    assert stats["authenticated"] > count, stats

    async def talk(number, client):
        await client.ok("publish", channel="public:crowd", payload=number)
        return [await client.event("publication", offset=at + 1) for at in range(count)]

    heard = await asyncio.gather(*(talk(*pair) for pair in enumerate(clients)))
    orders = {tuple(event["payload"] for event in events) for events in heard}
    equal(len(orders), 1)
    equal(sorted(orders.pop()), list(range(count)))


async def rates(stage):
    """A user's budget is one, on however many connections; another's is another."""
    one, two = await stage.users("uma", "uma")
    vera, = await stage.users("vera")
    svc, = await stage.users("backend", role="service")
    refused = []
    for _ in range(8):
        for client in (one, two):
            said = await client.ask("whoami")
            refused += [said] if said["status"] == "error" else []
    assert 3 <= len(refused) <= 10, refused
    for said in refused:
        equal(said["code"], "rate_limited")
        assert 0 < said["retry_after_ms"] <= 10_000, said
    await one.ok("ping")
    await vera.ok("whoami")
    for _ in range(30):
        await svc.ok("whoami")
    await stage.users("uma")
    late = await Web.open(stage)
    await late.refused("auth", "forbidden", token=stage.token("uma"))
    await late.closed(4003)
    sent = [await vera.ask("message", to="vera2", content="x") for _ in range(3)]
    equal([said["code"] for said in sent], ["not_found", "not_found", "rate_limited"])
    assert (await stage.metrics())['stentor_limited_total{limit="requests"}'] >= 3


async def critical(stage):
    """What is critical is not dropped for a reader who is behind; what is, the reader is told."""
    svc, = await stage.users("backend", role="service")
    slow = await (await Web.narrow(stage)).auth(stage.token("walt"))
    await slow.ok("subscribe", channel="flood:1")
    slow.stop_reading()
    payload, count = "x" * 60_000, 200
    asked = [await svc.say("publish", channel="flood:1", payload=payload) for _ in range(count)]
    alarm = {"user_ids": ["walt"], "event": "alarm", "payload": 1, "priority": "critical"}
    alarmed = await svc.say("send", **alarm)
    for request_id in asked + [alarmed]:
        equal((await svc.reply(request_id))["status"], "ok")
    slow.read_again()
    await slow.flooded(count, ["alarm"])


async def promise(stage):
    """Before the crash: what was acknowledged is written down here."""
    svc, = await stage.users("backend", role="service")
    yara = await Web.open(stage)
    account = {"username": "yara", "password": "a long password"}
    device = {"client_info": {"client_id": "d"}}
    data = await yara.ok("register", **account, **device)
    zoe, = await stage.users("zoe", teams=["ops"])
    group = await zoe.ok("create_group", group_name="g", member_ids=[data["user"]["id"]])
    group = group["chat"]["id"]
    written = [await zoe.ok("message", chat_id=group, content=f"m{n}", client_id=f"c{n}")
               for n in range(20)]
    equal([one["message"]["seq"] for one in written], list(range(1, 21)))
    await yara.close()
    user = data["user"]["id"]
    await svc.ok("send", user_ids=[user], event="task", payload={"n": 1})
    note = await svc.ok("create_notification", user_id=user, level="error", title="t", message="m")
    run = await svc.ok("update_execution", execution_id="r", team_id="ops", status="running",
                       progress=40)
    log = [await svc.ok("publish", channel="log:x", payload=n) for n in range(3)]
    volatile = await svc.ok("publish", channel="public:x", payload=1)
    stage.state = {"token": data["token"], "user": user, "group": group, "log": log,
                   "messages": [one["message"] for one in written], "note": note["notification"],
                   "run": run["execution"], "volatile": volatile, "device": device}


async def kept(stage):
    """After `kill -9` and a start: all of it is there, and nothing twice."""
    state = stage.state
    zoe, = await stage.users("zoe", teams=["ops"])
    yara = await Web.open(stage)
    room = f"room:{state['group']}"
    resume = {room: {"offset": 15, "epoch": "1"}}
    data = await yara.ok("auth", token=state["token"], resume=resume, **state["device"])
    equal(data["user"]["id"], state["user"])
    equal(data["resumed"][room], {"recovered": True, "offset": 20, "epoch": "1", "more": False})
    for wanted in state["messages"][15:]:
        await yara.event("message", channel=room, payload=wanted)
    await yara.event("task", offset=1, payload={"n": 1})
    await yara.event("notification", offset=2, payload=state["note"])
    page = await yara.ok("get_messages", chat_id=state["group"], after_seq=0)
    equal(page, {"messages": state["messages"], "has_more": False})
    equal((await yara.ok("get_notifications"))["unread_count"], 1)
    equal(await zoe.ok("get_execution", execution_id="r"), {"execution": state["run"]})
    again = await zoe.ok("message", chat_id=state["group"], content="other", client_id="c19")
    equal(again, {"message": state["messages"][19], "duplicate": True})
    next_one = await zoe.ok("message", chat_id=state["group"], content="new", client_id="c20")
    equal(next_one["message"]["seq"], 21)
    data = await zoe.ok("subscribe", channel="log:x", since=state["log"][0])
    equal((data["recovered"], data["offset"]), (True, 3))
    equal([event["payload"] for event in data["events"]], [1, 2])
    equal(data["epoch"], state["log"][0]["epoch"])
    data = await zoe.ok("subscribe", channel="public:x", since=state["volatile"])
    equal((data["recovered"], data["events"]), (False, []))
    assert data["epoch"] != state["volatile"]["epoch"], data
    lines = await (await Lines.open(stage)).auth(state["token"])
    equal(len((await lines.ok("get_user_chats"))["chats"]), 1)


async def control(stage):
    """Planted: what this asks for is not so, and the script must end badly."""
    ana, = await stage.users("ana")
    await ana.refused("whoami", "forbidden")


if __name__ == "__main__":
    play(globals())
