//! What workers do: one job, or a batch of writes, to its end.
//!
//! Whoever has the threads calls these; a test calls them at once.

use std::sync::Arc;

use super::words::{CallRef, Done, Finished, Job, PasswordTask};
use crate::auth::Passwords;
use crate::base::now::Now;
use crate::store::{Read, Reader, Store};

/// Commits a batch of writes and gives their ends in order; what is no write is left out.
pub fn commit(store: &mut dyn Store, now: Now, jobs: Vec<Job>) -> Vec<Done> {
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
    let end = |((call, by), result)| Done { call, by, result: Finished::Written(result) };
    waiting.into_iter().zip(results).map(end).collect()
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
