//! How many connections the limit of open files leaves room for.

use std::io;

use super::Config;

/// Descriptors that are left for everything but connections.
const DESCRIPTORS_KEPT: u64 = 256;

/// How many connections the descriptors of this process could do for, and how many descriptors it
/// could have: the hard limit.
///
/// # Errors
/// The system does not tell.
pub fn capacity() -> io::Result<(u64, u64)> {
    let limit = rlimit::Resource::NOFILE.get_hard()?;
    Ok((room_within(limit), limit))
}

/// Where the limit is tiny, half of it: a server without room for anyone is none.
fn room_within(limit: u64) -> u64 {
    limit.saturating_sub(DESCRIPTORS_KEPT).max(limit / 2)
}

/// How many connections there is room for.
pub(crate) fn room(config: &Config) -> usize {
    let limit = if config.raise_descriptors {
        rlimit::increase_nofile_limit(u64::MAX)
    } else {
        rlimit::Resource::NOFILE.get_soft()
    };
    let Ok(limit) = limit else { return config.connections_max };
    let room = usize::try_from(room_within(limit)).unwrap_or(usize::MAX);
    if config.connections_max == usize::MAX {
        log::info!("room for {room} connections: the limit of descriptors is {limit}");
    } else if room < config.connections_max {
        log::warn!(
            "room for {room} connections: the limit of descriptors is {limit}; \
             raise it with: ulimit -n {}",
            (config.connections_max as u64).saturating_add(DESCRIPTORS_KEPT)
        );
    }
    room.min(config.connections_max)
}
