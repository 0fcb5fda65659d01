//! Protobuf as SPEC §8 asks for it: requests from it, and what the server says as JSON put into it.
//!
//! Requests are read in two passes, as JSON's are: the first looks at the fields of `ClientMessage`
//! only and finds verb and `request_id`, so that whatever is wrong behind them is answered by name;
//! the second is prost on that verb's twin. The other way goes by the JSON: it is what is kept, and
//! what most receivers get. [`translate()`] puts its envelope into `ServerMessage`, the values inside
//! stay the JSON they are. Law: a client of either codec is told the same. Limit: no `hint`.

mod decode;
mod scan;
mod translate;
pub mod wire;

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests;

pub use decode::Message;
pub use translate::translate;
