//! What is answered to plain HTTP: one table of paths and methods (SPEC §7, RFC 9110).
//!
//! Law: nothing that a client sent comes back except the host it asked for, in plain text; every
//! answer forbids sniffing, the page everything that is not its own; the inside is shown only under
//! this server's names. Limit: what the WebSocket lets in is decided by the Origin, not here.

mod host;
mod names;
mod page;
mod storage;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use names::Names;
pub use storage::Storage;

use crate::base::now::Now;
use crate::handler;
use crate::metrics::{self, Registry, labels, rows};
use crate::protocol::http::{Request, Response};

labels! {
    /// What was asked for.
    pub enum Endpoint: "endpoint" {
        /// The page, for browsers or for `curl`.
        Page = "page",
        /// What the page consists of.
        Asset = "asset",
        /// `/healthz`.
        Health = "health",
        /// `/readyz`.
        Ready = "ready",
        /// `/metrics`.
        Metrics = "metrics",
        /// A WebSocket path without an upgrade.
        WebSocket = "websocket",
        /// Anything else.
        Unknown = "unknown",
    }
}

rows! {
    /// The rows of one loop's endpoints.
    pub struct Metrics {
        /// Plain HTTP requests answered, by endpoint.
        requests: Counter[Endpoint] = "stentor_http_answers_total",
        /// Requests for the inside under a name that is not this server's.
        hosts_refused: Counter = "stentor_http_hosts_refused_total",
    }
}

/// A path, what is behind it, and what is said of it to those who are lost.
struct Route {
    path: &'static str,
    endpoint: Endpoint,
    about: &'static str,
}

const ROUTES: &[Route] = &[
    Route { path: "/", endpoint: Endpoint::Page, about: "a small chat; plain text for curl" },
    Route {
        path: "/ws",
        endpoint: Endpoint::WebSocket,
        about: "WebSocket; also /socket, /websocket",
    },
    Route { path: "/healthz", endpoint: Endpoint::Health, about: "the process lives" },
    Route { path: "/readyz", endpoint: Endpoint::Ready, about: "it takes connections" },
    Route { path: "/metrics", endpoint: Endpoint::Metrics, about: "for Prometheus" },
    Route { path: "/socket", endpoint: Endpoint::WebSocket, about: "" },
    Route { path: "/websocket", endpoint: Endpoint::WebSocket, about: "" },
    Route { path: "/app.js", endpoint: Endpoint::Asset, about: "" },
    Route { path: "/app.css", endpoint: Endpoint::Asset, about: "" },
    Route { path: "/favicon.ico", endpoint: Endpoint::Asset, about: "" },
];

/// The endpoints of one loop.
#[derive(Debug)]
pub struct Endpoints {
    registry: Registry,
    metrics: Arc<Metrics>,
    names: Names,
    storage: Storage,
    draining: bool,
}

impl Endpoints {
    /// Endpoints that tell what `registry` counts.
    #[must_use]
    pub fn new(registry: &Registry) -> Self {
        Self {
            registry: registry.clone(),
            metrics: registry.block(),
            names: Names::default(),
            storage: Storage::default(),
            draining: false,
        }
    }

    /// The names under which the inside is shown, and what tells whether the store has room.
    #[must_use]
    pub fn of(self, names: Names, storage: Storage) -> Self {
        Self { names, storage, ..self }
    }

    fn respond(&self, now: Now, endpoint: Endpoint, request: &Request<'_>) -> Response {
        match endpoint {
            Endpoint::Page if page::is_wanted(request) => page::html(),
            Endpoint::Page => page::plain(request),
            Endpoint::Asset => page::asset(request.path),
            Endpoint::Health => Response::new(200).json(&b"{\"status\":\"ok\"}\n"[..]),
            Endpoint::Ready if self.draining => {
                Response::new(503).json(&b"{\"status\":\"draining\"}\n"[..])
            }
            Endpoint::Ready if self.storage.is_full(now.monotonic) => {
                Response::new(503).json(&b"{\"status\":\"storage_full\"}\n"[..])
            }
            Endpoint::Ready => Response::new(200).json(&b"{\"status\":\"ready\"}\n"[..]),
            Endpoint::Metrics if !self.names.allow(request.host().unwrap_or_default()) => {
                self.metrics.hosts_refused.add(1);
                Response::new(403).text(FOREIGN_NAME)
            }
            Endpoint::Metrics => {
                Response::new(200).body(metrics::CONTENT_TYPE, self.registry.render().into_bytes())
            }
            Endpoint::WebSocket => upgrade_required(request),
            Endpoint::Unknown => unknown(),
        }
    }
}

impl handler::Endpoints for Endpoints {
    fn answer(&mut self, now: Now, request: &Request<'_>) -> Response {
        let endpoint = endpoint(request.path);
        self.metrics.requests.add_at(endpoint, 1);
        let response = match (endpoint, request.method) {
            (Endpoint::Unknown | Endpoint::WebSocket, _) | (_, "GET" | "HEAD") => {
                self.respond(now, endpoint, request)
            }
            _ => Response::new(405).header("Allow", "GET, HEAD").text("use GET here\n"),
        };
        let changing = matches!(endpoint, Endpoint::Health | Endpoint::Ready | Endpoint::Metrics);
        let kept = if changing { "no-store" } else { "no-cache" };
        response.header("Cache-Control", kept).header("X-Content-Type-Options", "nosniff")
    }

    fn draining(&mut self) {
        self.draining = true;
    }
}

const FOREIGN_NAME: &str = "not under this name: ask by address, or list the name in \
                            http.allowed_hosts\n";

fn endpoint(path: &str) -> Endpoint {
    // The rest of this path is a token.
    if path.starts_with("/ws/") {
        return Endpoint::WebSocket;
    }
    let route = ROUTES.iter().find(|route| route.path == path);
    route.map_or(Endpoint::Unknown, |route| route.endpoint)
}

/// RFC 9110 §15.5.22: a 426 names what to upgrade to; §7.8: so must `Connection`.
fn upgrade_required(request: &Request<'_>) -> Response {
    let host = host::Host::of(request);
    Response::new(426).header("Connection", "Upgrade").header("Upgrade", "websocket").text(format!(
        "this path speaks WebSocket: connect to ws://{}/ws, or open http://{}/ in a browser\n",
        host.whole, host.whole
    ))
}

fn unknown() -> Response {
    let mut text = String::from("not found; there is:\n");
    for route in ROUTES.iter().filter(|route| !route.about.is_empty()) {
        text.push_str(&format!("  {:<10} {}\n", route.path, route.about));
    }
    Response::new(404).text(text)
}
