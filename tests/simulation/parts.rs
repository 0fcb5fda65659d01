//! What a router is made of in a test: cheap passwords, seeded secrets, real tokens, real pages.
//!
//! Limit: nothing here is fit to keep anybody out.

use std::sync::Arc;

use stentor::auth::jwt::{Jwt, OwnKey};
use stentor::auth::{self, PasswordRefused, Passwords, Secrets};
use stentor::base::id::LoopId;
use stentor::base::rng::Rng;
use stentor::engine::{self, Engine};
use stentor::guard::origin::Origins;
use stentor::guard::{self};
use stentor::http::Endpoints;
use stentor::hub::homes::Homes;
use stentor::metrics::Registry;
use stentor::router::{self, Parts, Router};

/// A hash is the password with a word before it.
pub(crate) struct Plain;

impl Passwords for Plain {
    fn hash(&mut self, password: &str, _: &[u8; 16]) -> Result<String, PasswordRefused> {
        Ok(format!("plain:{password}"))
    }

    fn verify(&mut self, password: &str, stored: &str) -> bool {
        stored.strip_prefix("plain:") == Some(password)
    }

    fn dummy(&self) -> &'static str {
        "nobody's"
    }
}

struct Seeded(Rng);

impl Secrets for Seeded {
    fn secret(&mut self) -> std::io::Result<[u8; 32]> {
        Ok(self.0.bytes())
    }
}

/// The limits of every layer.
#[derive(Clone, Default)]
pub(crate) struct Limits {
    pub(crate) engine: engine::Config,
    pub(crate) router: router::Config,
    pub(crate) auth: auth::Config,
    pub(crate) guard: guard::Config,
}

/// The key that signs tokens in tests.
pub(crate) fn tokens() -> Arc<Jwt> {
    Arc::new(Jwt::new(&OwnKey::new([7; 32]), Vec::new()).expect("a good key"))
}

/// One loop of a server: an engine with a router.
pub(crate) fn engine(
    limits: &Limits,
    homes: Homes,
    here: LoopId,
    seed: u64,
    tokens: Arc<Jwt>,
) -> Engine<Router> {
    let registry = Registry::new();
    let parts = Parts {
        config: limits.router.clone(),
        auth: limits.auth.clone(),
        guard: limits.guard.clone(),
        homes,
        tokens,
        secrets: Box::new(Seeded(Rng::new(seed ^ 0x5ec7))),
        origins: Arc::new(Origins::Own { loopback_only: false }),
        endpoints: Box::new(Endpoints::new(&registry)),
        seed,
        observer: None,
    };
    let router = Router::new(parts, &registry);
    Engine::new(limits.engine.clone(), here, seed, router, &registry)
}
