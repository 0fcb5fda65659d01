//! What a router is made of.

use std::sync::Arc;

use super::Config;
use super::bus::Observer;
use crate::auth::{self, Secrets, Tokens};
use crate::guard;
use crate::guard::origin::Origins;
use crate::handler::Endpoints;
use crate::hub::homes::Homes;

/// What a router is made of. Each loop gets its own.
pub struct Parts {
    /// Limits of what is said.
    pub config: Config,
    /// How long tokens live.
    pub auth: auth::Config,
    /// Rates and counts.
    pub guard: guard::Config,
    /// Which loop owns what; the same on every loop.
    pub homes: Homes,
    /// Makes and checks tokens.
    pub tokens: Arc<dyn Tokens>,
    /// For refresh tokens.
    pub secrets: Box<dyn Secrets>,
    /// Which pages may connect.
    pub origins: Arc<Origins>,
    /// What is answered over plain HTTP.
    pub endpoints: Box<dyn Endpoints>,
    /// For hash maps whose keys strangers choose.
    pub seed: u64,
    /// Told of what happens.
    pub observer: Option<Arc<dyn Observer>>,
}
