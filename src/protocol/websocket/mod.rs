//! RFC 6455, the WebSocket protocol, both roles, without a socket or a clock.
//!
//! | RFC 6455 | file |
//! |---|---|
//! | 4.1 client's handshake | `handshake/client.rs` |
//! | 4.2 server's handshake | `handshake/server.rs` |
//! | 5.2 header of a frame | `header.rs`, `opcode.rs`; written by `encoder.rs` |
//! | 5.3 masking | `mask.rs` |
//! | 5.4 fragments to messages | `assembly.rs` |
//! | 5.5, 6.2 receiving | `decoder.rs`, with its `event.rs` and `error.rs` |
//! | 5.8, 9 extensions | `extension.rs`; offers parsed in `handshake/extensions.rs`; RFC 7692 in `deflate/` |
//! | 1.4, 7 opening to closing | `connection.rs` |
//! | 7.4 status codes | `close_code.rs` |
//! | 8.1 UTF-8 | `utf8.rs` |
//!
//! Two ways in: [`Decoder`] with the functions of [`encoder`] lends messages where they lie and is
//! what the server runs on; [`Connection`] does the whole protocol and hands out owned messages:
//!
//! ```
//! use std::time::Duration;
//! use stentor::base::rng::Rng;
//! use stentor::protocol::websocket::handshake::client::Request;
//! use stentor::protocol::websocket::{Config, Connection, ConnectionEvent};
//!
//! let now = Duration::ZERO; // of a clock of yours that does not go back
//! let request = Request { host: "example.com", target: "/ws", ..Request::default() };
//! let mut client = Connection::client(Config::default(), &request, Rng::new(7), now)?;
//! let mut server = Connection::server(Config::default(), now);
//!
//! server.receive(&mut client.take_output()); // in a program: read from a socket
//! let Some(ConnectionEvent::Requested(asked)) = server.poll_event() else { panic!() };
//! assert_eq!(asked.target, "/ws");
//! server.accept(None, None).expect("nothing was chosen that was not offered");
//!
//! client.receive(&mut server.take_output());
//! client.send_text("hello")?;
//! server.receive(&mut client.take_output());
//! let heard: Vec<_> = std::iter::from_fn(|| server.poll_event()).collect();
//! assert_eq!(heard.last(), Some(&ConnectionEvent::Text("hello".into())));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod assembly;
mod close_code;
mod connection;
mod decoder;
pub mod deflate;
pub mod encoder;
mod error;
mod event;
mod extension;
pub mod handshake;
mod header;
#[doc(hidden)]
pub mod laws;
pub mod mask;
mod opcode;
mod utf8;

pub use close_code::CloseCode;
pub use connection::{
    Close, Config, Connection, ConnectionEvent, Failure, Requested, SendError, State,
};
pub(crate) use decoder::lent;
pub use decoder::{Decoder, Limits};
pub use error::Error;
pub use event::{CloseFrame, Event, Payload};
pub use extension::{Extension, ExtensionError};
pub use header::Role;
pub use opcode::Opcode;
