//! What workers do: one job, or a batch of writes, to its end.
//!
//! Whoever has the threads calls these; a test calls them at once.
//! What went into inboxes, or into durable channels beside what was asked for, is an end of its own.

use std::sync::Arc;

use super::inbox::NOBODY;
use super::words::{CallRef, Done, Finished, Job, PasswordTask};
use crate::auth::Passwords;
use crate::base::now::Now;
use crate::hub::homes::Homes;
use crate::store::inbox::Kept;
use crate::store::{Read, Reader, Store, Written};

/// Commits a batch of writes and gives their ends in order; what is no write is left out. What
/// went into inboxes is told before the end of its write, to the home of each user.
pub fn commit(store: &mut dyn Store, now: Now, jobs: Vec<Job>, homes: &Homes) -> Vec<Done> {
    let (mut waiting, mut batch) = (Vec::new(), Vec::new());
    for job in jobs {
        if let Job::Write { call, by, write } = job {
            waiting.push((call, by));
            batch.push(*write);
        }
    }
    let mut results = Vec::with_capacity(batch.len());
    store.commit(now, &batch, &mut results);
    debug_assert_eq!(results.len(), batch.len(), "one end for each write");
    let mut ends = Vec::with_capacity(results.len());
    for ((call, by), mut result) in waiting.into_iter().zip(results) {
        if let Ok(Written::Inbox(written)) = &mut result {
            let kept = by_home(written.take_kept(), homes);
            let kept = kept.into_iter().filter(|kept| !kept.is_empty());
            ends.extend(kept.map(|kept| Done { call, by, result: Finished::Kept(kept) }));
        }
        if let Ok(Written::Execution(written)) = &mut result {
            let call = CallRef { key: NOBODY, ..call };
            ends.extend(written.take_logged().into_iter().map(|(channel, publication)| {
                let (offset, publication) = (publication.offset, Some(publication));
                let written = Written::Published { channel, offset, publication };
                Done { call, by, result: Finished::Written(Ok(written)) }
            }));
        }
        ends.push(Done { call, by, result: Finished::Written(result) });
    }
    ends
}

fn by_home(kept: Vec<Kept>, homes: &Homes) -> Vec<Vec<Kept>> {
    if kept.len() <= 1 {
        return vec![kept];
    }
    let mut sorted = vec![Vec::new(); homes.len()];
    for kept in kept {
        sorted[usize::from(homes.of_user(&kept.user).0)].push(kept);
    }
    sorted
}

/// Does one read.
pub fn look_up(reader: &mut dyn Reader, call: CallRef, read: &Read) -> Done {
    Done { call, by: None, result: Finished::Found(reader.read(read)) }
}

/// Hashes or compares one password.
pub fn hash(
    passwords: &mut dyn Passwords,
    salt: &[u8; 16],
    call: CallRef,
    task: PasswordTask,
) -> Done {
    let result = match task {
        PasswordTask::Hash(password) => {
            Finished::Hashed(passwords.hash(&password, salt).ok().map(Arc::from))
        }
        PasswordTask::Verify(password, Some(hash)) => {
            Finished::Verified(passwords.verify(&password, &hash))
        }
        PasswordTask::Verify(password, None) => {
            passwords.verify(&password, passwords.dummy());
            Finished::Verified(false)
        }
    };
    Done { call, by: None, result }
}
