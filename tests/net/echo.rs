//! Echo through both doors, to the last byte before a half-close.

use std::io::Read;
use std::net::{Shutdown, TcpStream};

use tungstenite::{Message, WebSocket};

use crate::support::{Client, PATIENCE, Running, echo, until};

fn websocket(server: &Running) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let url = format!("ws://{}/", server.address);
    tungstenite::client(url, stream).unwrap().0
}

#[test]
fn lines_come_back_on_every_loop_and_loops_are_filled_evenly() {
    let server = Running::start(echo(3));
    let mut clients: Vec<_> = (0..6).map(|_| server.client()).collect();
    let mut homes: Vec<_> = clients.iter_mut().map(|client| client.ask("where").unwrap()).collect();
    homes.sort();
    assert_eq!(homes, ["0", "0", "1", "1", "2", "2"]);
    for (at, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.ask(&format!("line {at}")), Some(format!("line {at}")));
    }
    assert_eq!(server.handle.connections(), 6);

    // Who leaves makes room where he was.
    clients.retain_mut(|client| client.ask("where").unwrap() != "1");
    until(|| server.handle.connections() == 4);
    for _ in 0..2 {
        clients.push(server.client());
        assert_eq!(clients.last_mut().unwrap().ask("where").as_deref(), Some("1"));
    }
}

#[test]
fn websocket_messages_of_every_kind_and_size_come_back() {
    let server = Running::start(echo(2));
    for mut socket in [websocket(&server), websocket(&server)] {
        for bytes in [0, 1, 125, 126, 16_384, 65_535, 65_536, 300_000, 5_000_000] {
            let binary: Vec<u8> = (0..bytes).map(|at| (at * 7 % 251) as u8).collect();
            for message in [Message::text("é".repeat(bytes / 2)), Message::binary(binary)] {
                let sent = message.clone();
                let mut other = WebSocket::from_raw_socket(
                    socket.get_ref().try_clone().unwrap(),
                    tungstenite::protocol::Role::Client,
                    None,
                );
                // Written from a thread, because a large echo begins before its end was sent.
                let writer = std::thread::spawn(move || other.send(sent).unwrap());
                assert!(socket.read().unwrap() == message, "{bytes}");
                writer.join().unwrap();
            }
        }
        socket.send(Message::Ping(b"there?".as_slice().into())).unwrap();
        assert_eq!(socket.read().unwrap(), Message::Pong(b"there?".as_slice().into()));
    }
}

#[test]
fn a_half_close_still_gets_every_reply() {
    let server = Running::start(echo(1));
    for lines in [1, 100, 20_000] {
        let mut client = server.client();
        let text: String = (0..lines).map(|at| format!("line {at}\n")).collect();
        let stream = client.0.get_ref().try_clone().unwrap();
        let sent = text.clone();
        let writer = std::thread::spawn(move || {
            Client(std::io::BufReader::new(stream.try_clone().unwrap())).send(sent + "last");
            stream.shutdown(Shutdown::Write).unwrap();
        });
        let mut came = String::new();
        client.0.read_to_string(&mut came).unwrap();
        assert!(came == text + "last\n", "{lines} lines, {} bytes came", came.len());
        writer.join().unwrap();
    }
}

#[test]
fn everything_in_one_segment_with_its_end_is_read_to_the_end() {
    let server = Running::start(echo(1));
    // Bytes and end arrive before the loop looks: one edge for both.
    for _ in 0..200 {
        let mut client = server.client();
        client.send("a\nb");
        client.0.get_ref().shutdown(Shutdown::Write).unwrap();
        assert_eq!(
            [client.line(), client.line(), client.line()],
            [Some("a".to_owned()), Some("b".to_owned()), None]
        );
    }
}

#[test]
fn what_came_during_a_pause_is_read_after_it() {
    let server = Running::start(echo(1));
    let mut client = server.client();
    for _ in 0..3 {
        assert_eq!(client.ask("pause").as_deref(), Some("paused"));
        assert_eq!(client.ask("meanwhile").as_deref(), Some("meanwhile"));
    }
}

#[test]
fn a_unix_socket_is_a_door_too() {
    let path = std::env::temp_dir().join(format!("stentor-net-{}.sock", std::process::id()));
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let _server = Running::start(echo(2).unix_listener(listener));
    let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    std::io::Write::write_all(&mut stream, b"over a file\nand out").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut came = String::new();
    stream.read_to_string(&mut came).unwrap();
    assert_eq!(came, "over a file\nand out\n");
}
