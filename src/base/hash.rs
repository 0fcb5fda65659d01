//! Seeded hash maps, so that the same seed gives the same trace and a stranger cannot choose collisions.
//!
//! [`IdMap`] is for keys that we made ourselves; [`NameMap`] (SipHash-1-3) for keys that came over
//! the network. The order of a hash map is an accident: nothing may iterate over one where the
//! order can be seen.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};

use siphasher::sip128::{Hasher128, SipHasher13};

/// A map keyed by our own ids.
pub type IdMap<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// A map keyed by what a stranger chose: names of channels, of users, addresses.
pub type NameMap<K, V> = HashMap<K, V, NameHash>;

/// An [`IdMap`] without entries.
#[must_use]
pub fn id_map<K, V>(seed: u64) -> IdMap<K, V> {
    HashMap::with_hasher(foldhash::fast::FixedState::with_seed(seed))
}

/// A [`NameMap`] without entries.
#[must_use]
pub fn name_map<K, V>(seed: u64) -> NameMap<K, V> {
    HashMap::with_hasher(NameHash(seed))
}

/// SipHash-1-3 under a key made from one seed.
#[derive(Clone, Copy, Debug)]
pub struct NameHash(u64);

impl NameHash {
    /// The hash function of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Which of `homes` owns `key`: every loop of a process computes the same answer.
    pub fn home<K: Hash + ?Sized>(&self, key: &K, homes: u16) -> u16 {
        (self.hash_one(key) % u64::from(homes.max(1))) as u16
    }
}

impl BuildHasher for NameHash {
    type Hasher = siphasher::sip::SipHasher13;

    fn build_hasher(&self) -> Self::Hasher {
        siphasher::sip::SipHasher13::new_with_keys(self.0, self.0.rotate_left(32) ^ 0x5bd1_e995)
    }
}

/// A hash that may stand for what was hashed: two that are the same, of what strangers chose without
/// knowing the seed, are not met with.
#[must_use]
pub fn wide_hash<'a>(seed: u64, parts: impl IntoIterator<Item = &'a [u8]>) -> u128 {
    let mut hasher = SipHasher13::new_with_keys(seed, seed.rotate_left(32) ^ 0x5bd1_e995);
    parts.into_iter().for_each(|part| hasher.write(part));
    hasher.finish128().as_u128()
}
