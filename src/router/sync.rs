//! `sync`: what a user missed since a time.

use super::ask::{Ask, Event, Outcome, answers, unexpected};
use crate::base::time::Timestamp;
use crate::message::client;
use crate::message::fault::Fault;
use crate::store::{Found, Read};

answers! { ask, request:
    Sync<'a> => sync(ask, request),
}

/// It waits for what was missed.
#[derive(Debug)]
pub(super) struct Step;

impl From<Step> for super::waiting::Step {
    fn from(step: Step) -> Self {
        Self::Sync(step)
    }
}

/// Tells what was missed, newest first, in pages of bounded length.
pub(super) fn sync(ask: &mut Ask<'_, '_>, request: &client::Sync<'_>) -> Outcome {
    let since = Timestamp::parse(&request.since).ok_or_else(|| {
        Fault::field("since", "\"since\" must be a time as in RFC 3339")
            .hint(client::Verb::Sync.example())
    })?;
    let teams = ask.user()?.identity.teams.clone();
    let (user, limit) = (ask.me()?, ask.router.config.history_page);
    ask.read(Read::Sync { user, teams, since_ms: since.0, limit }, Step)
}

/// It was looked up.
pub(super) fn go_on(ask: &mut Ask<'_, '_>, Step: Step, event: Event) -> Outcome {
    match event {
        Event::Found(Found::Missed(missed)) => ask.ok(&*missed),
        event => Err(unexpected(&event)),
    }
}
