//! Random writes and reads of what is kept for users and teams.

use std::sync::Arc;

use proptest::prelude::*;
use stentor::message::execution::Status;
use stentor::message::inbox::Level;
use stentor::store::execution::{ExecutionWrite, Update};
use stentor::store::inbox::{Bounds, Cursor, InboxRead, InboxWrite};
use stentor::store::publication::Keep;
use stentor::store::{Read, Write};

use super::{messages, metadata, names, users};
use crate::backends::{START_MS, raw};

/// Bounds so small that they are met.
const BOUNDS: Bounds = Bounds { events: 4, age_ms: 600_000, notifications: 3, devices: 2 };

fn devices() -> impl Strategy<Value = Arc<str>> {
    prop::sample::select(&["a", "b", "c", "default"][..]).prop_map(Arc::from)
}

pub(super) fn inbox_writes() -> impl Strategy<Value = Write> {
    let bounds = BOUNDS;
    let some_users = || prop::collection::vec(users(), 0..4);
    let level = prop::sample::select(&Level::ALL[..]);
    let write = prop_oneof![
        (users(), some_users(), names(), any::<bool>()).prop_map(
            move |(by, users, word, critical)| {
                let payload = raw("{\"a\":1}");
                InboxWrite::Send { by, users, word, payload, critical, bounds }
            }
        ),
        (messages(), users(), users(), level, names(), metadata()).prop_map(
            move |(id, by, user, level, title, action)| {
                let message = title.clone();
                InboxWrite::Notify { id, by, user, level, title, message, action, bounds }
            }
        ),
        (users(), prop::option::of(messages())).prop_map(move |(user, notification)| {
            InboxWrite::MarkRead { user, notification, bounds }
        }),
        (users(), devices()).prop_map(move |(user, device)| InboxWrite::Open {
            user,
            device,
            bounds
        }),
        (
            prop::option::of(users()),
            1..4u32,
            prop::sample::select(&[1_000, 600_000, 9_000_000][..])
        )
            .prop_map(|(after, users, age_ms)| InboxWrite::Sweep { after, users, age_ms }),
        prop::collection::vec((users(), devices(), 0..9u64), 0..4).prop_map(move |cursors| {
            let cursor = |(user, device, offset)| Cursor { user, device, offset };
            InboxWrite::Move { cursors: cursors.into_iter().map(cursor).collect(), bounds }
        }),
    ];
    write.prop_map(Write::Inbox)
}

pub(super) fn execution_writes() -> impl Strategy<Value = Write> {
    let name = |names: &'static [&'static str]| prop::sample::select(names).prop_map(Arc::from);
    let progress = prop::option::of(0..3u8);
    let ids = name(&["x", "y", "z", "w"]);
    let parts = (ids, name(&["ops", "dev"]), progress, metadata(), prop::bool::ANY);
    let write = (users(), parts, prop::sample::select(&Status::ALL[..])).prop_map(
        |(by, (id, team, progress, result, durable), status)| {
            let log = durable.then(|| (Arc::from("log:e"), Keep::default()));
            let (current_step, error) = (None, None);
            let update = Update { id, team, status, progress, current_step, result, error };
            ExecutionWrite::Update { by, update, per_team: 2, log: log.into_iter().collect() }
        },
    );
    let look = name(&["x", "y", "z"])
        .prop_map(|id| ExecutionWrite::Look { id, log: Some("log:e".into()) });
    prop_oneof![4 => write, 1 => look].prop_map(Write::Execution)
}

pub(super) fn inbox_reads() -> impl Strategy<Value = Read> {
    let after = prop::option::of(0..12u64);
    prop_oneof![
        (users(), devices()).prop_map(|(user, device)| Read::Arrival { user, device }),
        (users(), after, 0..5u32, 0..20usize, 0..4_000_000u64).prop_map(
            |(user, after, limit, bytes, later)| Read::Inbox(InboxRead::Page {
                user,
                after,
                limit,
                bytes,
                since_ms: START_MS + later - 1_000_000,
            })
        ),
        (users(), any::<bool>(), prop::option::of(messages()), 0..5u32).prop_map(
            |(user, unread_only, before, limit)| {
                let page = InboxRead::Notifications { user, unread_only, before, limit };
                Read::Inbox(page)
            }
        ),
    ]
}
