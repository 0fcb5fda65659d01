//! Attacks on the real binary over real sockets, one test per row of a catalogue of what strangers
//! do to servers: each is named by its row (`sn` sniffing, `ht` HTTP, `fr fg u8 cl` frames, `ln`
//! lines, `pb` Protobuf, `sl` slow peers, `rx` exhaustion, `xo in` origins and injection).
//!
//! Law: the stated answer, and the oracle of `server.rs` after every attack; what attacks a parser
//! is run in every way of `siege/`. Limit: loads are bounded, so that all of it runs in a minute or
//! so beside other tests.
#![cfg(all(feature = "cli", target_os = "linux"))]

#[path = "../simulation/binary.rs"]
mod binary;
mod catalogue;
mod closing;
mod deflate;
mod exhaustion;
mod framing;
mod handshake;
mod http;
mod json;
mod limits;
mod lines;
mod names;
mod origin;
mod peer;
mod protobuf;
mod server;
mod siege;
mod slow;
mod smuggling;
mod sniffing;
mod tls;
mod unfinished;
mod utf8;
