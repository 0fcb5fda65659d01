//! `docs/protocol.md`: what is said on the wire, for people who write clients.

use std::fmt::Write as _;

use stentor::codec::Codec;
use stentor::config::KEYS;
use stentor::message::client::{Access, Order, Rate, Verb};
use stentor::message::close;
use stentor::message::fault::Code;
use stentor::message::told::{EVENTS, SHAPES};

use crate::COMMAND;

pub(crate) fn write() -> String {
    let mut text = head();
    verbs(&mut text);
    shapes(&mut text);
    events(&mut text);
    codes(&mut text);
    limits(&mut text);
    text
}

fn head() -> String {
    let [json, protobuf] = Codec::ALL.map(Codec::subprotocol);
    format!(
        "# The protocol

Generated from the catalogue in `src/message`; a test fails when it is not what the catalogue says. To write it again:

    {COMMAND}

[`asyncapi.yaml`](asyncapi.yaml) says the same for tools, [`proto/stentor/v1`](../proto/README.md) for Protobuf, and `help`
and `help VERB` on a connection.

## Doors

One port. WebSocket at `/ws`, `/ws/TOKEN`, `/socket`, `/websocket`; lines of JSON on raw TCP, one object a line; HTTP.
On WebSocket the subprotocol is `{json}` or `{protobuf}`; without one the first data frame decides, text for JSON and
binary for Protobuf, and the other kind of frame then closes the connection (1003).
A token may come in the path, as `Authorization: Bearer TOKEN`, as `bearer.TOKEN` beside the subprotocol, or by `auth`.

## Envelope

Request: `{{\"type\":VERB,\"request_id\":…,parameters}}`. `request_id` is a string of at most 128 bytes or an integer, and may be
left out; it comes back as it was. Unknown members are ignored. JSON is strict: no key twice, at most 16 levels, no lone
surrogates, numbers within a double.

Reply: `{{\"type\":VERB,\"status\":\"ok\",\"request_id\":…,\"data\":{{…}}}}` or
`{{\"type\":VERB,\"status\":\"error\",\"request_id\":…,\"code\":…,\"message\":…,\"retryable\":…,\"retry_after_ms\"?,\"field\"?,\"hint\"?}}`.
`code` is stable, `message` is for people, `hint` says what to type instead (not in Protobuf). An answer that a backend
gave before has `\"cached\":true` beside `data`. What has `status` is a reply; what has none is an event.

Event: `{{\"type\":EVENT,\"channel\"?,\"offset\"?,\"epoch\"?,\"id\"?,\"sender\"?,\"timestamp\":…,\"payload\":…}}`.

Requests of a connection take effect in order and are answered in order, but for those marked *when ready* below. The
connection that caused an event has its reply and not the event (`publish` with `echo` gets both, the reply first).
Times are RFC 3339 in UTC with milliseconds; integers are below 2^53.

In Protobuf the same is `ClientMessage` and `ServerMessage`, one in a binary frame; `payload`, `params`, `data`, `result`,
`metadata` and `resume` are bytes that hold JSON. What a Protobuf client publishes that is no JSON reaches other Protobuf
clients unchanged, and JSON clients as `{{\"b64\":\"…\"}}`.

## Verbs

*number* is the field in the oneof of `ClientMessage`.

"
    )
}

const fn access(access: Access) -> &'static str {
    match access {
        Access::Anyone => "anyone",
        Access::User => "a user",
        Access::Service => "role `service` or `admin`",
        Access::Admin => "role `admin`",
    }
}

const fn order(order: Order) -> &'static str {
    match order {
        Order::Barrier => "in order",
        Order::Run => "in order, overlapping",
        Order::Free => "when ready",
    }
}

const fn rate(rate: Rate) -> &'static str {
    match rate {
        Rate::Message => "`limits.messages_per_minute`",
        Rate::Request => "`limits.requests_per_second`",
        Rate::Ephemeral => "`limits.ephemeral_per_second`",
        Rate::Free => "none",
    }
}

/// A text within a cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// `{}` for nothing.
fn holds(text: &str) -> String {
    match text {
        "" => "`{}`".to_owned(),
        "*" => "whatever the other side says".to_owned(),
        text => format!("`{text}`"),
    }
}

fn verbs(text: &mut String) {
    text.push_str("| verb | number | who | answered | rate | |\n|---|---|---|---|---|---|\n");
    for verb in Verb::ALL {
        let word = verb.word();
        let _ = writeln!(
            text,
            "| [`{word}`](#{word}) | {} | {} | {} | {} | {} |",
            verb.tag(),
            access(verb.access()),
            order(verb.order()),
            rate(verb.rate()),
            cell(verb.about()),
        );
    }
    for verb in Verb::ALL {
        let _ = write!(text, "\n### {}\n\n{}\n\n", verb.word(), verb.about());
        if !verb.parameters().is_empty() {
            text.push_str("| parameter | | type | |\n|---|---|---|---|\n");
        }
        for parameter in verb.parameters() {
            let needed = if parameter.optional() { "optional" } else { "required" };
            let list = parameter.presence() == stentor::message::client::Presence::Repeated;
            let kind = parameter.kind().word();
            let kind = if list { format!("list of {kind}") } else { kind.to_owned() };
            let (name, about) = (parameter.name, cell(parameter.about));
            let _ = writeln!(text, "| `{name}` | {needed} | {} | {about} |", cell(&kind));
        }
        if !verb.parameters().is_empty() {
            text.push('\n');
        }
        let data = verb.data().map_or_else(|| "not told".to_owned(), holds);
        let _ = write!(text, "Data: {data}\n\n    {}\n", verb.example());
    }
}

fn shapes(text: &mut String) {
    text.push_str(
        "\n## Shapes\n\nWhat `data` and payloads have in common. `?` may be absent; `{…}` and `[…]` are what is within; a name that \
         is one of these has its shape, `..name` stands for its members, `*` for anything.\n\n\
         | name | holds | |\n|---|---|---|\n",
    );
    for shape in SHAPES {
        let _ = writeln!(text, "| {} | `{}` | {} |", shape.name, shape.holds, shape.about);
    }
}

fn events(text: &mut String) {
    text.push_str("\n## Events\n\n| event | where | payload | |\n|---|---|---|---|\n");
    for row in EVENTS {
        let (word, payload) = (row.word, holds(row.payload));
        let _ = writeln!(text, "| `{word}` | {} | {payload} | {} |", row.place, row.about);
    }
}

fn codes(text: &mut String) {
    text.push_str(
        "\n## Errors\n\n*HTTP* is the status that stands for it over HTTP. *again*: the same request may succeed later.\n\n\
         | code | HTTP | again | |\n|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let again = if code.retryable() { "yes" } else { "no" };
        let (word, status) = (code.word(), code.http_status());
        let _ = writeln!(text, "| `{word}` | {status} | {again} | {} |", code.about());
    }
    text.push_str(
        "\n## Closing\n\nOn WebSocket the code is in the Close frame, on lines in `bye`. Beside those of RFC 6455 (1002 protocol, 1003 \
         kind of data, 1007 bad UTF-8 or compressed data, 1008 policy, 1009 too large, 1011 our fault):\n\n\
         | code | then | |\n|---|---|---|\n",
    );
    for (code, about) in close::ALL {
        let then = match code / 100 {
            40 => "do not come back",
            41 => "come back later, and later still",
            42 => "come back now",
            _ => "renew the token first",
        };
        let _ = writeln!(text, "| {code} | {then} | {about} |");
    }
}

fn limits(text: &mut String) {
    text.push_str("\n## Limits and settings\n\n| key | default | |\n|---|---|---|\n");
    for key in KEYS {
        let default = key.default();
        let default = if default.is_empty() { "unset".to_owned() } else { default };
        let _ = writeln!(text, "| `{}` | {} | {} |", key.name, cell(&default), cell(key.about));
    }
}

#[test]
fn every_verb_event_and_code_is_in_it() {
    let text = write();
    for verb in Verb::ALL {
        assert!(text.contains(&format!("\n### {}\n", verb.word())));
        assert!(text.contains(verb.example()));
    }
    for code in Code::ALL {
        assert!(!code.about().is_empty() && text.contains(&format!("| `{}` | ", code.word())));
        assert!([400, 401, 403, 404, 409, 413, 429, 503].contains(&code.http_status()));
    }
    for (code, _) in close::ALL {
        assert!(text.contains(&format!("| {code} | ")));
    }
    assert!(close::ALL.is_sorted(), "in order");
}
