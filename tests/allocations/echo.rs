//! An echo allocates nothing, on whatever door.

use std::convert::Infallible;
use std::net::TcpListener;

use stentor::base::id::ConnectionId;
use stentor::handler::{Context, Handler, Message, Segment, Tag};
use stentor::net;
use stentor::protocol::websocket::{Opcode, encoder};
use stentor::server::Server;

use crate::rig::{Rig, UPGRADE};

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

#[test]
fn a_warm_echo_allocates_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = net::Config { raise_descriptors: false, ..net::Config::default() };
    let server = Server::builder(|_| Echo).config(config, stentor::engine::Config::default());
    let mut rig = Rig::new(server.listener(listener));
    let (websocket, line) = (rig.connect(), rig.connect());
    rig.clients[websocket].send(UPGRADE.as_bytes());
    rig.turn_until(|all| all[websocket].heard(b"\r\n\r\n") == 1);
    rig.forget();

    let mut frame = Vec::new();
    encoder::encode_masked_into(&mut frame, Opcode::Text, &[b'x'; 64], [1, 2, 3, 4]);
    let text = [&[b'x'; 64][..], b"\n"].concat();
    for in_flight in [1, 16] {
        let mut round = |messages: usize| {
            let mut allocations = 0;
            for _ in 0..messages {
                rig.clients[websocket].send(&frame.repeat(in_flight));
                rig.clients[line].send(&text.repeat(in_flight));
                allocations += rig.turn_until(|all| {
                    all[websocket].come.len() == 66 * in_flight
                        && all[line].come.len() == 65 * in_flight
                });
                rig.forget();
            }
            allocations
        };
        round(50);
        assert_eq!(round(200), 0, "{in_flight} in flight");
    }
}
