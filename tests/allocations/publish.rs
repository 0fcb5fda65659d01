//! The messaging server: a publication is one block, however many receive it.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use prost::Message as _;
use stentor::auth::{self, Claims, Role, Secrets, TokenError, Tokens, no_teams};
use stentor::base::id::{LoopId, UserId};
use stentor::base::now::Now;
use stentor::engine;
use stentor::guard;
use stentor::guard::origin::Origins;
use stentor::handler::Endpoints;
use stentor::hub::homes::Homes;
use stentor::message::client::wire::{Auth, ClientMessage, MessageType, Subscribe};
use stentor::metrics::Registry;
use stentor::net::{self, Clock, Mailbox, Workers};
use stentor::protocol::http::{Request, Response};
use stentor::protocol::websocket::{Opcode, encoder};
use stentor::router::words::{Job, commit, look_up};
use stentor::router::{self, Parts, Router};
use stentor::server::Server;
use stentor::store::Store;
use stentor::store::memory::MemoryStore;

use crate::rig::{Rig, UPGRADE};

/// Blocks of one publication: the frame that its receivers share.
const BLOCKS: u64 = 1;

/// Subscribers of each door. Not more, because it is not true of more: an engine keeps the tables of
/// 256 emptied queues (`engine/outbox.rs`), and each receiver above that costs a block per turn.
const SUBSCRIBERS: usize = 120;

/// What is done now and then would count where a machine is so busy that its time comes: a look at
/// what alerts are about takes some hundred blocks, and silent clients get pings.
const NEVER_MS: u64 = 86_400_000;

/// Publications that count.
const MEASURED: usize = 200;

/// A token is the name of its user.
struct Names;

impl Tokens for Names {
    fn issue(&self, _: &Claims) -> Result<String, TokenError> {
        Err(TokenError::Signing)
    }

    fn verify(&self, now: Now, token: &str) -> Result<Claims, TokenError> {
        let sub = UserId::parse(token).ok_or(TokenError::Invalid("sub"))?;
        let exp = now.unix_s() + 86_400;
        let teams = no_teams();
        Ok(Claims {
            sub,
            sid: None,
            jti: None,
            iat: None,
            exp,
            role: Role::User,
            name: None,
            teams,
        })
    }
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn secret(&mut self) -> std::io::Result<[u8; 32]> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

struct NoPages;

impl Endpoints for NoPages {
    fn answer(&mut self, _: Now, _: &Request<'_>) -> Response {
        Response::new(404)
    }
}

/// The whole router in memory; jobs are done where they are asked for.
fn rig() -> Rig<Router> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (registry, clock) = (Registry::new(), Clock::start());
    let work = move |mailboxes: Vec<Mailbox<Router>>| -> std::io::Result<Arc<dyn Workers<Router>>> {
        let store = Mutex::new(MemoryStore::new());
        Ok(Arc::new(move |job: Job, from: LoopId| {
            let mut store = store.lock().unwrap();
            let ends = match job {
                Job::Read { call, read } => {
                    vec![look_up(&mut *store.reader().unwrap(), call, &read)]
                }
                job => commit(&mut *store, clock.now(), vec![job], &Homes::new(7, 1)),
            };
            ends.into_iter().for_each(|end| mailboxes[usize::from(from.0)].deliver(end));
        }))
    };
    let metrics = registry.clone();
    let router = move |_| {
        let mut config = router::Config::default();
        config.alerts.interval_ms = NEVER_MS;
        let parts = Parts {
            config,
            auth: auth::Config::default(),
            guard: guard::Config { requests_per_second: None, ..guard::Config::default() },
            homes: Homes::new(7, 1),
            tokens: Arc::new(Names),
            secrets: Box::new(NoSecrets),
            origins: Arc::new(Origins::Own { loopback_only: true }),
            endpoints: Box::new(NoPages),
            seed: 7,
            observer: None,
        };
        Router::new(parts, &metrics)
    };
    let config = net::Config { raise_descriptors: false, ..net::Config::default() };
    let server = Server::builder(router).listener(listener).clock(clock).workers(work);
    let quiet = engine::Config { heartbeat_ms: NEVER_MS, dead_ms: 2 * NEVER_MS, ..<_>::default() };
    Rig::new(server.metrics(&registry).config(config, quiet))
}

fn masked(text: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    encoder::encode_masked_into(&mut frame, Opcode::Text, text.as_bytes(), [1, 2, 3, 4]);
    frame
}

fn masked_binary(twin: MessageType) -> Vec<u8> {
    let message = ClientMessage { message_type: Some(twin), request_id: String::new() };
    let mut frame = Vec::new();
    let bytes = message.encode_to_vec();
    encoder::encode_masked_into(&mut frame, Opcode::Binary, &bytes, [1, 2, 3, 4]);
    frame
}

/// The same over Protobuf.
fn enter_binary(rig: &mut Rig<Router>, name: &str) {
    let place = rig.connect();
    let upgrade =
        UPGRADE.replacen("Sec-", "Sec-WebSocket-Protocol: stentor.v1.protobuf\r\nSec-", 1);
    rig.clients[place].send(upgrade.as_bytes());
    rig.turn_until(|all| all[place].heard(b"\"server\"") == 1);
    let (token, channel) = (name.to_owned(), "public:b".to_owned());
    for twin in [
        MessageType::Auth(Auth { token, ..Auth::default() }),
        MessageType::Subscribe(Subscribe { channel, ..Subscribe::default() }),
    ] {
        rig.forget();
        rig.clients[place].send(&masked_binary(twin));
        rig.turn_until(|all| all[place].heard(b"\x12\x02ok") == 1);
    }
    rig.forget();
}

/// A user on a door of its own, subscribed to `public:b`.
fn enter(rig: &mut Rig<Router>, name: &str, websocket: bool) -> usize {
    let place = rig.connect();
    if websocket {
        rig.clients[place].send(UPGRADE.as_bytes());
        rig.turn_until(|all| all[place].heard(b"\"hello\"") == 1);
    }
    let requests = [
        format!("{{\"type\":\"auth\",\"token\":\"{name}\"}}"),
        "{\"type\":\"subscribe\",\"channel\":\"public:b\"}".to_owned(),
    ];
    for request in requests {
        rig.forget();
        let bytes = if websocket { masked(&request) } else { format!("{request}\n").into_bytes() };
        rig.clients[place].send(&bytes);
        rig.turn_until(|all| all[place].heard(b"\"status\":") == 1);
        assert_eq!(rig.clients[place].heard(b"\"status\":\"ok\""), 1, "{request}");
    }
    rig.forget();
    place
}

/// What so many publications of a WebSocket user allocate for so many subscribers of each door, and
/// as many again of Protobuf.
fn allocations(subscribers: usize, binary: usize, in_flight: usize) -> u64 {
    let mut rig = rig();
    let publisher = enter(&mut rig, "publisher", true);
    for number in 0..subscribers {
        enter(&mut rig, &format!("w{number}"), true);
        enter(&mut rig, &format!("l{number}"), false);
    }
    for number in 0..binary {
        enter_binary(&mut rig, &format!("p{number}"));
    }
    let text = "{\"type\":\"publish\",\"request_id\":7,\"channel\":\"public:b\",\"echo\":false,\
                \"payload\":{\"text\":\"hello\",\"n\":[1,2]}}";
    let messages = masked(text).repeat(in_flight);
    let mut round = |times: usize| {
        let mut allocations = 0;
        for _ in 0..times / in_flight {
            rig.clients[publisher].send(&messages);
            allocations += rig.turn_until(|all| {
                all.iter().enumerate().all(|(place, client)| {
                    let word: &[u8] =
                        if place == publisher { b"\"status\":\"ok\"" } else { b"publication" };
                    client.heard(word) == in_flight
                })
            });
            rig.forget();
        }
        allocations
    };
    // The history of the channel is full after 100.
    round(320);
    round(MEASURED)
}

#[test]
fn a_warm_publish_allocates_one_block_per_message_and_none_per_delivery() {
    for in_flight in [1, 8] {
        let (few, many) = (allocations(1, 0, in_flight), allocations(SUBSCRIBERS, 0, in_flight));
        assert!(
            few <= BLOCKS * MEASURED as u64,
            "{few} blocks for {MEASURED} messages, {in_flight} in flight"
        );
        assert!(many <= few, "{} blocks for the deliveries to more receivers", many - few);
    }
}

/// The translation is a block of its own, and so is the list in which those of one run stand.
#[test]
fn a_publication_is_translated_once_however_many_get_it() {
    for in_flight in [1, 8] {
        let (few, many) = (allocations(1, 1, in_flight), allocations(1, SUBSCRIBERS, in_flight));
        assert!(
            few <= 3 * BLOCKS * MEASURED as u64,
            "{few} blocks for {MEASURED} messages, {in_flight} in flight"
        );
        assert!(many <= few, "{} blocks for the deliveries to more receivers", many - few);
    }
}
