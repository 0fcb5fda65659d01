//! TLS on the port of everything else: certificates made when the test runs, rustls as the client.
//!
//! Nothing waits for time to pass but what tests a deadline. The client is rustls with its rules; where
//! it would not break one, bytes are written by hand.

mod certificates;
mod client;
mod client_auth;
mod cuts;
mod doors;
mod endings;
mod hostile;
mod large;
mod reload;
mod server;
mod storm;
