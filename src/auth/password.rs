//! Argon2id (RFC 9106) with the parameters that OWASP asks for: 19 MiB, two passes, one lane.
//!
//! Hashes are PHC strings and carry their parameters, so that ours can grow later. Law: a stored
//! hash cannot make this server use more than 128 MiB, 10 passes and 16 lanes. Limit: a hash takes
//! tens of milliseconds, so it belongs on a worker thread; each worker owns a [`Hasher`].

use super::names::valid_password;
use super::{PasswordRefused, Passwords, same_secret};
use argon2::password_hash::phc::{Ident, Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

const MEMORY_KIB_MAX: u32 = 128 * 1024;
const PASSES_MAX: u32 = 10;
const LANES_MAX: u32 = 16;

/// Of random bytes: nobody knows a password with this hash.
const DUMMY: &str = "$argon2id$v=19$m=19456,t=2,p=1$Z9lKQ0vVQ0m3v2sPq1x8Yw$\
                     3Xo1R6mZk0b9q2nVt8sYfJc7wL4hG5aDeUiTpKxBrCE";

/// Hashes one password at a time; keeps its 19 MiB of working memory between hashes.
#[derive(Default)]
pub struct Hasher {
    blocks: Vec<Block>,
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The blocks are derived from the last password.
        f.debug_struct("Hasher").field("blocks", &self.blocks.len()).finish_non_exhaustive()
    }
}

impl Hasher {
    /// A hasher, which takes its memory at the first hash.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn run(&mut self, params: Params, password: &str, salt: &[u8], out: &mut [u8]) -> bool {
        let needed = params.block_count();
        if self.blocks.len() < needed {
            self.blocks.resize(needed, Block::new());
        }
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let blocks = &mut self.blocks[..needed];
        let done = argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, blocks);
        let ours = MEMORY_KIB as usize;
        if self.blocks.len() > ours {
            self.blocks.truncate(ours);
            self.blocks.shrink_to_fit();
        }
        done.is_ok()
    }
}

impl Passwords for Hasher {
    fn hash(&mut self, password: &str, salt: &[u8; 16]) -> Result<String, PasswordRefused> {
        if !valid_password(password) {
            return Err(PasswordRefused);
        }
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| PasswordRefused)?;
        let text = ParamsString::try_from(&params).map_err(|_| PasswordRefused)?;
        let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
        if !self.run(params, password, salt, &mut out) {
            return Err(PasswordRefused);
        }
        let hash = PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: text,
            salt: Some(Salt::new(salt).map_err(|_| PasswordRefused)?),
            hash: Some(Output::new(&out).map_err(|_| PasswordRefused)?),
        };
        Ok(hash.to_string())
    }

    fn verify(&mut self, password: &str, stored: &str) -> bool {
        let Some((params, salt, expected)) = parse(stored) else {
            return false;
        };
        let mut out = [0; Output::MAX_LENGTH];
        let Some(out) = out.get_mut(..expected.len()) else {
            return false;
        };
        valid_password(password)
            && self.run(params, password, &salt, out)
            && same_secret(out, expected.as_bytes())
    }

    fn dummy(&self) -> &'static str {
        DUMMY
    }
}

/// Parameters, salt and hash of a stored hash within the limits.
fn parse(stored: &str) -> Option<(Params, Salt, Output)> {
    let stored = PasswordHash::new(stored).ok()?;
    let argon2id: Ident = ARGON2ID_IDENT;
    if stored.algorithm != argon2id || stored.version != Some(Version::V0x13.into()) {
        return None;
    }
    let params = Params::try_from(&stored).ok()?;
    let capped = params.m_cost() <= MEMORY_KIB_MAX
        && params.t_cost() <= PASSES_MAX
        && params.p_cost() <= LANES_MAX;
    capped.then_some((params, stored.salt?, stored.hash?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_verifies_its_password_only_and_memory_is_reused() {
        let mut hasher = Hasher::new();
        let hash = hasher.hash("correct horse", &[1; 16]).unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$AQEBAQEBAQEBAQEBAQEBAQ$"),
            "{hash}"
        );
        assert!(hasher.verify("correct horse", &hash));
        assert!(!hasher.verify("correct hors3", &hash));
        assert_eq!(
            hasher.hash("correct horse", &[1; 16]),
            Ok(hash),
            "dirty memory changes nothing"
        );
        assert_eq!(hasher.blocks.len(), MEMORY_KIB as usize);
        assert!(!format!("{hasher:?}").contains("Block("));
    }

    #[test]
    fn the_reference_implementation_agrees() {
        // phc-winner-argon2 test.c: argon2id, m = 2^8, t = 2, p = 2, "password", "somesalt".
        let hash = "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$\
                    bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
        assert!(Hasher::new().verify("password", hash));
        assert!(!Hasher::new().verify("passwore", hash));
    }

    #[test]
    fn a_hostile_stored_hash_costs_nothing() {
        let tail = "$c29tZXNhbHRzYWx0$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
        for head in [
            "$argon2id$v=19$m=4194304,t=2,p=1",
            "$argon2id$v=19$m=131073,t=1,p=1",
            "$argon2id$v=19$m=256,t=11,p=1",
            "$argon2id$v=19$m=256,t=4294967295,p=1",
            "$argon2id$v=19$m=256,t=1,p=17",
            "$argon2i$v=19$m=256,t=1,p=1",
            "$argon2id$v=16$m=256,t=1,p=1",
            "$argon2id$m=256,t=1,p=1",
            "$argon2id$v=19$m=x,t=1,p=1",
        ] {
            let mut hasher = Hasher::new();
            assert!(parse(&format!("{head}{tail}")).is_none(), "{head}");
            assert!(!hasher.verify("password", &format!("{head}{tail}")), "{head}");
            assert!(hasher.blocks.is_empty(), "{head}");
        }
        assert!(parse(&format!("$argon2id$v=19$m=131072,t=10,p=16{tail}")).is_some());
        for broken in ["", "password", "$argon2id", "$argon2id$v=19$m=256,t=1,p=1$c29tZXNhbHQ"] {
            assert!(parse(broken).is_none(), "{broken}");
        }
    }

    #[test]
    fn a_larger_stored_hash_does_not_keep_its_memory() {
        let mut hasher = Hasher::new();
        let tail = "$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
        hasher.verify("password", &format!("$argon2id$v=19$m=32768,t=1,p=1{tail}"));
        assert_eq!(hasher.blocks.len(), MEMORY_KIB as usize);
    }

    #[test]
    fn the_dummy_is_a_hash_of_our_cost_and_nobody_has_it() {
        let (params, _, _) = parse(DUMMY).unwrap();
        assert_eq!(
            (params.m_cost(), params.t_cost(), params.p_cost()),
            (MEMORY_KIB, PASSES, LANES)
        );
        assert!(!Hasher::new().verify("password", DUMMY));
    }

    #[test]
    fn a_password_of_another_length_is_refused_before_hashing() {
        let mut hasher = Hasher::new();
        for password in ["", "short", &"x".repeat(1025)] {
            assert_eq!(hasher.hash(password, &[0; 16]), Err(PasswordRefused));
            assert!(!hasher.verify(password, DUMMY));
        }
        assert!(hasher.blocks.is_empty());
    }
}
