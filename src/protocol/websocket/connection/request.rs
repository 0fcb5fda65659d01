//! A request's head, from bytes to what the owner is asked: RFC 6455 section 4.2.1.
//!
//! Limit: [`HEADERS_MAX`] header lines; the size is the `HeadBuffer`'s.

use super::super::handshake::server::{Refusal, Upgrade, validate};
use super::facts::Requested;

/// The most header lines of a request.
const HEADERS_MAX: usize = 100;

/// Calls `then` with the target and the judgement on `head`, a whole head.
///
/// # Errors
///
/// The refusal to answer with, or what `then` returns.
pub(super) fn with_upgrade<T, E: From<Refusal>>(
    head: &[u8],
    then: impl FnOnce(&httparse::Request<'_, '_>, &Upgrade<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    if !request.parse(head).is_ok_and(|status| status.is_complete()) {
        return Err(Refusal::NotHttp.into());
    }
    let upgrade = validate(&request)?;
    then(&request, &upgrade)
}

/// What a whole head asks for.
///
/// # Errors
///
/// The refusal to answer with.
pub(super) fn read(head: &[u8]) -> Result<Requested, Refusal> {
    with_upgrade(head, |request, upgrade| {
        let headers = request.headers.iter();
        Ok(Requested {
            target: request.path.unwrap_or_default().to_owned(),
            headers: headers.map(|h| (h.name.to_owned(), h.value.to_vec())).collect(),
            subprotocols: upgrade.subprotocols().map(str::to_owned).collect(),
        })
    })
}
