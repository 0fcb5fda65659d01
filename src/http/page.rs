//! The page at `/`: a small chat that shows the server works, and the same in words for `curl`.
//!
//! Law: the page needs nothing but this server, runs no inline script, and nobody may frame it
//! (Content Security Policy Level 3). Its texts are embedded, so it is there without a disk.

use crate::protocol::http::{Request, Response};

use super::host::Host;

const HTML: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("app.js");
const STYLE: &str = include_str!("app.css");

/// `connect-src` falls back to `'self'`, which is this server's WebSocket too.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; object-src 'none'";

/// Whether the client takes HTML; `*/*` alone, as `curl` says, is no wish for it.
pub(super) fn is_wanted(request: &Request<'_>) -> bool {
    request
        .headers()
        .filter(|(name, _)| name.eq_ignore_ascii_case("accept"))
        .filter_map(|(_, value)| str::from_utf8(value).ok())
        .flat_map(|value| value.split(','))
        .any(is_html)
}

/// One element of `Accept` (RFC 9110 §12.5.1): a type, and perhaps a weight.
fn is_html(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let html = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("text/html"));
    let refused = |part: &str| {
        let weight = part.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
        weight.is_some_and(|(_, q)| q.trim().parse::<f32>().is_ok_and(|q| q <= 0.0))
    };
    html && !parts.any(refused)
}

/// The page.
pub(super) fn html() -> Response {
    Response::new(200)
        .header("Vary", "Accept")
        .header("Content-Security-Policy", POLICY)
        .header("X-Frame-Options", "DENY")
        .header("Referrer-Policy", "no-referrer")
        .body("text/html; charset=utf-8", HTML.as_bytes())
}

/// The same for people in a terminal.
pub(super) fn plain(request: &Request<'_>) -> Response {
    let Host { whole, name, port } = Host::of(request);
    Response::new(200).header("Vary", "Accept").text(format!(
        "stentor {}: real-time messages over WebSocket, TCP lines and HTTP on one port\n\
         \x20 browser    open http://{whole}/\n\
         \x20 terminal   nc {name} {port}    then type: help\n\
         \x20 websocket  ws://{whole}/ws\n\
         \x20 health     curl http://{whole}/readyz    metrics: /metrics\n",
        env!("CARGO_PKG_VERSION"),
    ))
}

/// What the page is made of.
pub(super) fn asset(path: &str) -> Response {
    match path {
        "/app.js" => Response::new(200).body("text/javascript; charset=utf-8", SCRIPT.as_bytes()),
        "/app.css" => Response::new(200).body("text/css; charset=utf-8", STYLE.as_bytes()),
        _ => Response::new(204),
    }
}
