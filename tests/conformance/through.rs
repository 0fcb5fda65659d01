//! The proxy between a server and a client of ours: what the suite's third mode stands on, in a second.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use stentor::base::id::ConnectionId;
use stentor::base::rng::Rng;
use stentor::handler::{Context, Handler, Message, Segment, Tag};
use stentor::protocol::websocket::handshake::client::Request;
use stentor::protocol::websocket::{CloseCode, Config, Connection, ConnectionEvent};
use stentor::server::{Handle, Server};
use stentor::{engine, net};

use crate::proxy::{self, Cut};

const PATIENCE: Duration = Duration::from_secs(20);

struct Echo;

impl Handler for Echo {
    type Job = Infallible;
    type Done = Infallible;
    type Peer = Infallible;
    type Timer = Infallible;

    fn message(&mut self, cx: &mut Context<'_, Self>, from: ConnectionId, message: Message<'_>) {
        cx.send(from, Segment::Lent(0..message.bytes.len()), Tag::REPLY);
    }
}

struct Running(Handle, Option<JoinHandle<()>>, SocketAddr);

impl Running {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let config = net::Config { raise_descriptors: false, ..net::Config::default() };
        let server = Server::builder(|_| Echo).listener(listener).loops(1);
        let engine = engine::Config { message_bytes: 1 << 20, ..engine::Config::default() };
        let server = server.config(config, engine).build().unwrap();
        let (handle, address) = (server.handle(), server.local_addrs()[0]);
        Self(handle, Some(thread::spawn(move || server.run().unwrap())), address)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.stop();
        self.1.take().unwrap().join().unwrap();
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What comes next, or `None` when the stream has ended.
fn next(stream: &mut TcpStream, client: &mut Connection) -> Option<ConnectionEvent> {
    let mut buffer = [0; 4096];
    loop {
        stream.write_all(&client.take_output()).unwrap();
        if let Some(event) = client.poll_event() {
            return Some(event);
        }
        match stream.read(&mut buffer).unwrap() {
            0 => return None,
            length => client.receive(&mut buffer[..length]),
        }
    }
}

#[test]
fn websocket_messages_come_back_through_the_proxy() {
    let server = Running::start();
    for cut in [Cut::ToServer, Cut::BothWays] {
        let mut stream = connect(proxy::start(server.2, cut).unwrap());
        let request = Request { host: "localhost", target: "/", ..Request::default() };
        let now = Duration::ZERO;
        let mut client = Connection::client(Config::default(), &request, Rng::new(1), now).unwrap();
        let opened = next(&mut stream, &mut client);
        assert!(matches!(opened, Some(ConnectionEvent::Opened { .. })), "{opened:?}");
        for bytes in [0, 1, 125, 126, 4096, 20_000] {
            let text = "é€𝄞x".repeat(bytes / 10) + &"y".repeat(bytes % 10);
            client.send_text(&text).unwrap();
            let came = next(&mut stream, &mut client);
            assert!(
                matches!(&came, Some(ConnectionEvent::Text(came)) if **came == *text),
                "{bytes}"
            );
        }
        client.close(CloseCode::NORMAL, "thanks").unwrap();
        // The server ends the stream, and the proxy tells.
        assert_eq!(next(&mut stream, &mut client), None);
        client.end_of_stream();
        let closed = client.poll_event();
        assert!(matches!(closed, Some(ConnectionEvent::Closed { .. })), "{closed:?}");
    }
}

#[test]
fn lines_and_a_half_close_come_through() {
    let server = Running::start();
    let mut stream = connect(proxy::start(server.2, Cut::BothWays).unwrap());
    let text: String = (0..2000).map(|line| format!("line {line}\n")).collect();
    let mut writer = stream.try_clone().unwrap();
    let sent = text.clone();
    let writing = thread::spawn(move || {
        writer.write_all(sent.as_bytes()).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut came = String::new();
    stream.read_to_string(&mut came).unwrap();
    assert!(came == text, "{} bytes of {}", came.len(), text.len());
    writing.join().unwrap();
}

#[test]
fn who_is_refused_still_gets_the_close_frame() {
    let server = Running::start();
    let mut stream = connect(proxy::start(server.2, Cut::ToServer).unwrap());
    let head = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    // A frame of an opcode that does not exist, and much more behind it.
    let mut bytes = head.as_bytes().to_vec();
    bytes.extend([0x83, 0x80, 0, 0, 0, 0]);
    bytes.resize(100_000, b'x');
    stream.write_all(&bytes).unwrap();
    let mut came = Vec::new();
    stream.read_to_end(&mut came).unwrap();
    let end = came.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let frame = &came[end..];
    assert_eq!((frame[0], &frame[2..4]), (0x88, &1002_u16.to_be_bytes()[..]), "{frame:x?}");
}
