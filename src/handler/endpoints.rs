//! The second seam of the messaging server: plain HTTP, which its router does not know.

use crate::base::now::Now;
use crate::protocol::http::{Request, Response};

/// What is answered to plain HTTP requests; the router asks, `http/` knows.
pub trait Endpoints: Send {
    /// The response to a request that is no upgrade.
    fn answer(&mut self, now: Now, request: &Request<'_>) -> Response;

    /// The server is going down.
    fn draining(&mut self) {}
}
