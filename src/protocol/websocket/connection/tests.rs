//! Every state × every event, and what the table cannot say.

use super::*;
use crate::protocol::websocket::laws::trace;

const REQUEST: client::Request<'_> = client::Request {
    host: "h",
    target: "/ws",
    origin: None,
    subprotocols: &["a", "b"],
    extensions: None,
    headers: &[],
};

fn new_client() -> Connection {
    Connection::client(Config::default(), &REQUEST, Rng::new(1), Duration::ZERO).unwrap()
}

fn new_server() -> Connection {
    Connection::server(Config::default(), Duration::ZERO)
}

fn deciding() -> Connection {
    let mut server = new_server();
    server.receive(&mut new_client().take_output());
    assert!(matches!(server.poll_event(), Some(ConnectionEvent::Requested(_))));
    server
}

fn open(role: Role) -> Connection {
    let (mut client, mut server) = (new_client(), new_server());
    server.receive(&mut client.take_output());
    server.accept(Some("b"), None).unwrap();
    client.receive(&mut server.take_output());
    let mut end = if role == Role::Client { client } else { server };
    while end.poll_event().is_some() {}
    end
}

fn closing(role: Role) -> Connection {
    let mut end = open(role);
    end.close(CloseCode(4000), "over").unwrap();
    end.take_output();
    end
}

fn failed(role: Role) -> Connection {
    let mut end = open(role);
    end.fail(CloseCode::POLICY_VIOLATION, "no");
    end.take_output();
    end
}

fn closed(role: Role) -> Connection {
    let mut end = closing(role);
    end.end_of_stream();
    while end.poll_event().is_some() {}
    end
}

/// A frame of the peer of `role`.
fn peer(role: Role, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let key = (role == Role::Server).then_some([1, 2, 3, 4]);
    encoder::append(&mut out, opcode, false, payload, key);
    out
}

type Act = fn(&mut Connection);

const ACTS: [(&str, Act); 12] = [
    ("message", |c| c.receive(&mut peer(c.role(), Opcode::Text, b"hi"))),
    ("ping", |c| c.receive(&mut peer(c.role(), Opcode::Ping, b"p"))),
    ("close frame", |c| c.receive(&mut peer(c.role(), Opcode::Close, b"\x03\xe8"))),
    ("bad frame", |c| c.receive(&mut [0x83; 14])),
    ("end of stream", Connection::end_of_stream),
    ("much later", |c| c.advance(Duration::from_secs(3_600))),
    ("send text", |c| assert_eq!(c.send_text("t").is_ok(), c.is_open())),
    ("send binary", |c| assert_eq!(c.send_binary(b"b").is_ok(), c.is_open())),
    ("send ping", |c| assert_eq!(c.ping(b"").is_ok(), c.is_open())),
    ("close", |c| {
        let was_open = c.is_open();
        assert_eq!(c.close(CloseCode::NORMAL, "").is_ok(), was_open);
    }),
    ("fail", |c| c.fail(CloseCode::INTERNAL_ERROR, "")),
    ("refuse", |c| c.refuse(403, "no")),
];

/// The state, the events and what was sent, in short: `M` message, `P` ping, `E` end; `t b p o c`
/// frames (text, binary, ping, pong, close), `h` a response.
fn short(end: &mut Connection) -> String {
    let state = match end.state() {
        State::Connecting => "connecting",
        State::Open => "open",
        State::Closing => "closing",
        State::Closed => "closed",
    };
    let mut line = String::new();
    while let Some(event) = end.poll_event() {
        line.push(match event {
            ConnectionEvent::Text(_) | ConnectionEvent::Binary(_) => 'M',
            ConnectionEvent::Ping(_) => 'P',
            ConnectionEvent::Closed { .. } => 'E',
            other => panic!("{other:?}"),
        });
    }
    let output = end.take_output();
    if output.starts_with(b"HTTP/1.1 4") {
        return format!("{state} {line}h");
    }
    let role = if end.role() == Role::Client { Role::Server } else { Role::Client };
    let sent = trace(role, end.config.limits, &output, &[]);
    assert_eq!(sent.error, None);
    line.extend(sent.events.iter().map(|(opcode, ..)| match opcode {
        Opcode::Text => 't',
        Opcode::Binary => 'b',
        Opcode::Ping => 'p',
        Opcode::Pong => 'o',
        Opcode::Close => 'c',
        Opcode::Continuation => '?',
    }));
    format!("{state} {line}").trim_end().to_owned()
}

/// A state, how to get there, and what each of [`ACTS`] makes of it, in the words of [`short`].
type Row = (&'static str, fn(Role) -> Connection, &'static str);

const BOTH: [Row; 4] = [
    (
        "open",
        open,
        "open M|open Po|closing c|closing c|closed E|open\
        |open t|open b|open p|closing c|closing c|open",
    ),
    (
        "closing",
        closing,
        "closing M|closing P|closing|closing|closed E|closed E\
        |closing|closing|closing|closing|closing|closing",
    ),
    (
        "failed",
        failed,
        "closing|closing|closing|closing|closed E|closed E\
        |closing|closing|closing|closing|closing|closing",
    ),
    (
        "closed",
        closed,
        "closed|closed|closed|closed|closed|closed|closed|closed|closed|closed|closed|closed",
    ),
];

/// Connecting differs: a server may refuse.
const SERVER: &str = "connecting|connecting|connecting|connecting|closed E|closed Eh\
    |connecting|connecting|connecting|connecting|closed E|closed Eh";
const CLIENT: &str = "connecting|connecting|connecting|connecting|closed E|closed E\
    |connecting|connecting|connecting|connecting|closed E|connecting";

#[test]
fn every_state_and_every_event() {
    let both = BOTH.into_iter().flat_map(|row| [(Role::Server, row), (Role::Client, row)]);
    let connecting: [(Role, Row); 3] = [
        (Role::Server, ("request", |_| new_server(), SERVER)),
        (Role::Server, ("deciding", |_| deciding(), SERVER)),
        (Role::Client, ("response", |_| silent_client(), CLIENT)),
    ];
    for (role, (state, make, expected)) in both.chain(connecting) {
        let expected: Vec<&str> = expected.split('|').collect();
        assert_eq!(expected.len(), ACTS.len());
        for ((act, run), expected) in ACTS.into_iter().zip(expected) {
            let mut end = make(role);
            run(&mut end);
            assert_eq!(short(&mut end), expected, "{role:?}, {state}, {act}");
        }
    }
}

fn silent_client() -> Connection {
    let mut client = new_client();
    client.take_output();
    client
}

#[test]
fn verdicts_follow_from_the_facts() {
    const NORMAL: Act = ACTS[2].1;
    type Row = (fn(Role) -> Connection, &'static [Act], u16, bool, Option<Failure>);
    let rows: [Row; 6] = [
        (open, &[NORMAL, Connection::end_of_stream], 1000, true, None),
        (closing, &[NORMAL, Connection::end_of_stream], 1000, true, None),
        (closing, &[Connection::end_of_stream], 1006, false, Some(Failure::EndOfStream)),
        (closing, &[|c| c.advance(Duration::from_secs(5))], 1006, false, Some(Failure::Timeout)),
        (
            open,
            &[ACTS[3].1, Connection::end_of_stream],
            1006,
            false,
            Some(Failure::Protocol(Error::ReservedOpcode)),
        ),
        (
            open,
            &[|c| c.receive(&mut peer(c.role(), Opcode::Close, b"")), Connection::end_of_stream],
            1005,
            true,
            None,
        ),
    ];
    for (index, (make, acts, code, clean, failure)) in rows.into_iter().enumerate() {
        let mut end = make(Role::Server);
        acts.iter().for_each(|act| act(&mut end));
        let Some(ConnectionEvent::Closed { code: c, clean: k, failure: f, .. }) = end.poll_event()
        else {
            panic!("row {index}");
        };
        assert_eq!((c.0, k, f), (code, clean, failure), "row {index}");
        assert_eq!(end.poll_event(), None);
    }
}

#[test]
fn who_ends_the_stream() {
    for (role, at_once) in [(Role::Server, true), (Role::Client, false)] {
        let mut end = closing(role);
        assert!(!end.wants_shutdown());
        ACTS[2].1(&mut end);
        assert_eq!(end.wants_shutdown(), at_once, "{role:?}: section 7.1.1");
        let mut end = open(role);
        ACTS[2].1(&mut end);
        assert!(!end.wants_shutdown(), "the answer is still to be written");
        let written = end.bytes_to_send().len();
        end.sent(written);
        assert_eq!(end.wants_shutdown(), at_once);
        assert!(failed(role).wants_shutdown(), "section 7.1.7");
    }
    let mut refused = deciding();
    refused.refuse(403, "no");
    assert!(!refused.wants_shutdown());
    refused.take_output();
    assert!(refused.wants_shutdown());
}

#[test]
fn pings_that_nobody_reads_make_nothing_grow() {
    let mut end = open(Role::Server);
    for number in 0..1_000_u16 {
        end.receive(&mut peer(Role::Server, Opcode::Ping, &number.to_be_bytes()));
        end.bytes_to_send();
    }
    let mut sent = end.bytes_to_send().to_vec();
    assert_eq!(sent, [0x8a, 2, 0, 0], "one Pong waits");
    end.sent(sent.len());
    sent = end.bytes_to_send().to_vec();
    assert_eq!(sent, [0x8a, 2, 3, 231], "then the latest");
}

#[test]
fn what_comes_before_the_answer_waits_and_is_bounded() {
    let mut server = deciding();
    server.receive(&mut peer(Role::Server, Opcode::Text, b"early"));
    assert_eq!(server.poll_event(), None);
    assert_eq!(server.accept(Some("c"), None), Err(NotOffered));
    assert_eq!(server.state(), State::Connecting);
    server.accept(Some("a"), None).unwrap();
    assert!(
        matches!(server.poll_event(), Some(ConnectionEvent::Opened { subprotocol: Some(s), .. }) if s == "a")
    );
    assert_eq!(server.poll_event(), Some(ConnectionEvent::Text("early".into())));
    let mut server = deciding();
    server.receive(&mut vec![0; 64 * 1024]);
    assert_eq!(server.state(), State::Connecting);
    server.receive(&mut [0]);
    assert!(server.take_output().starts_with(b"HTTP/1.1 400 "));
}

#[test]
fn bad_heads_are_answered() {
    let rows: [(&[u8], &str); 4] = [
        (b"\x16\x03\x01\r\n\r\n", "HTTP/1.1 400 "),
        (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 426 "),
        (&[b'a'; 16 * 1024], "HTTP/1.1 431 "),
        (b"POST / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 405 "),
    ];
    for (head, expected) in rows {
        let mut server = new_server();
        server.receive(&mut head.to_vec());
        let output = server.take_output();
        assert!(output.starts_with(expected.as_bytes()), "{}", String::from_utf8_lossy(&output));
        assert_eq!(server.state(), State::Closed);
    }
}

#[test]
fn what_an_owner_may_not_send() {
    for role in [Role::Server, Role::Client] {
        let mut end = open(role);
        assert_eq!(end.ping(&[0; 126]), Err(SendError::ControlTooLong));
        assert_eq!(end.close(CloseCode::NO_STATUS, ""), Err(SendError::CloseCode));
        let mandatory = end.close(CloseCode::MANDATORY_EXTENSION, "");
        assert_eq!(mandatory.is_ok(), role == Role::Client);
    }
}
