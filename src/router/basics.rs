//! `whoami`, `search_users`, `heartbeat`, `help`: what needs little.

use std::sync::Arc;

use serde::Serialize;

use super::ask::{Answer, Ask, Event, Outcome, answers, limit, unexpected};
use super::words::Word;
use crate::base::id::{Id, UserId};
use crate::base::time::Timestamp;
use crate::message::client::{self, Access, Presence, Verb};
use crate::message::fault::{Code, Fault};
use crate::message::record::Profile;
use crate::store::{Found, Read};

answers! { ask, request:
    Whoami => whoami(ask),
    SearchUsers<'a> => search_users(ask, request),
    Ping => ask.ok_empty(),
    Heartbeat => heartbeat(ask),
    Help<'a> => help(ask, request),
}

/// Where a request stands that waits.
#[derive(Debug)]
pub(super) enum Step {
    /// Users are being looked up.
    Search,
    /// Every loop is asked which of them are there.
    There { users: Vec<Profile>, there: Vec<bool>, loops: usize },
}

impl Step {
    /// Another loop has answered; whether all have.
    pub(super) fn heard_loop(&mut self, heard: &[bool]) -> bool {
        let Self::There { there, loops, .. } = self else { return true };
        there.iter_mut().zip(heard).for_each(|(there, heard)| *there |= heard);
        *loops = loops.saturating_sub(1);
        *loops == 0
    }
}

impl From<Step> for super::Step {
    fn from(step: Step) -> Self {
        Self::Basic(step)
    }
}

#[derive(Serialize)]
struct Whoami<'a> {
    user: &'a Profile,
    role: &'static str,
    session_id: Option<Id>,
    expires_at: Timestamp,
}

/// Tells who the connection is.
pub(super) fn whoami(ask: &mut Ask<'_, '_>) -> Outcome {
    let user = ask.user()?;
    let profile = user.profile();
    let (role, session_id) = (user.identity.role.as_str(), user.identity.session);
    let expires_at = Timestamp(user.identity.expires_at_unix_s.saturating_mul(1000));
    ask.ok(&Whoami { user: &profile, role, session_id, expires_at })
}

#[derive(Serialize)]
struct Time {
    server_time: Timestamp,
}

/// Tells the time.
pub(super) fn heartbeat(ask: &mut Ask<'_, '_>) -> Outcome {
    let server_time = Timestamp(ask.cx.now.unix_ms);
    ask.ok(&Time { server_time })
}

/// Finds users by the beginning of a name.
pub(super) fn search_users(ask: &mut Ask<'_, '_>, request: &client::SearchUsers<'_>) -> Outcome {
    let query = request.query.trim();
    if query.is_empty() || query.len() > 256 {
        return Err(Fault::field("query", "\"query\" must have 1 to 256 bytes"));
    }
    let limit = limit(request.limit, 20, 100);
    ask.read(Read::SearchUsers { query: Arc::from(query), limit }, Step::Search)
}

#[derive(Serialize)]
struct FoundUser<'a> {
    #[serde(flatten)]
    profile: &'a Profile,
    online: bool,
}

#[derive(Serialize)]
struct Users<'a> {
    users: Vec<FoundUser<'a>>,
}

/// The next thing that a request waits for has come.
pub(super) fn go_on(ask: &mut Ask<'_, '_>, step: Step, event: Event) -> Outcome {
    match (step, event) {
        (Step::Search, Event::Found(Found::Users(users))) if users.is_empty() => {
            ask.ok(&Users { users: Vec::new() })
        }
        (Step::Search, Event::Found(Found::Users(users))) => {
            let ids: Vec<UserId> = users.iter().map(|user| user.id.clone()).collect();
            let loops = ask.router.homes.len();
            let call = ask.call(Step::There { there: vec![false; users.len()], users, loops });
            ask.router.tell_all(ask.cx, || Word::WhoIsThere { call, users: ids.clone() });
            Ok(Answer::Later)
        }
        (Step::There { users, there, .. }, Event::There) => {
            let found = |(profile, online): (_, &bool)| FoundUser { profile, online: *online };
            ask.ok(&Users { users: users.iter().zip(&there).map(found).collect() })
        }
        (_, event) => Err(unexpected(&event)),
    }
}

#[derive(Serialize)]
struct Entry {
    r#type: &'static str,
    about: &'static str,
    /// As a person would write them: `username, password, display_name?`.
    parameters: String,
}

#[derive(Serialize)]
struct Verbs {
    verbs: Vec<Entry>,
}

#[derive(Serialize)]
struct Explained {
    r#type: &'static str,
    about: &'static str,
    needs: &'static str,
    parameters: Vec<Parameter>,
    /// What the reply holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    example: &'static serde_json::value::RawValue,
}

#[derive(Serialize)]
struct Parameter {
    name: &'static str,
    r#type: &'static str,
    required: bool,
    about: &'static str,
}

#[derive(Serialize)]
struct OneVerb {
    verb: Explained,
}

/// Lists the verbs, or explains one.
pub(super) fn help(ask: &mut Ask<'_, '_>, request: &client::Help<'_>) -> Outcome {
    let Some(word) = &request.verb else {
        return ask.ok(&Verbs { verbs: Verb::ALL.iter().map(|verb| entry(*verb)).collect() });
    };
    let Some(verb) = Verb::parse(&word.to_ascii_lowercase()) else {
        let fault =
            Fault { field: Some("verb".into()), ..Fault::new(Code::NotFound, "no such verb") };
        return Err(match crate::codec::json::did_you_mean(word) {
            Some(verb) => fault.hint(format!("did you mean \"{verb}\"?")),
            None => fault.hint("help alone lists all verbs"),
        });
    };
    let example = serde_json::from_str(verb.example())
        .map_err(|_| Fault::new(Code::Internal, "the example is no JSON"))?;
    let needs = match verb.access() {
        Access::Anyone => "nothing",
        Access::User => "a user",
        Access::Service => "role service or admin",
        Access::Admin => "role admin",
    };
    let parameter = |parameter: &client::Parameter| Parameter {
        name: parameter.name,
        r#type: parameter.kind().word(),
        required: !parameter.optional(),
        about: parameter.about,
    };
    let parameters = verb.parameters().iter().map(parameter).collect();
    let (about, data) = (verb.about(), verb.data().map(|data| format!("{{{data}}}")));
    let verb = Explained { r#type: verb.word(), about, needs, parameters, data, example };
    ask.ok(&OneVerb { verb })
}

fn entry(verb: Verb) -> Entry {
    let name = |parameter: &client::Parameter| match parameter.presence() {
        Presence::Repeated => format!("{}[]", parameter.name),
        Presence::Listed => format!("{}[]?", parameter.name),
        _ if parameter.optional() => format!("{}?", parameter.name),
        _ => parameter.name.to_owned(),
    };
    let parameters: Vec<String> = verb.parameters().iter().map(name).collect();
    Entry { r#type: verb.word(), about: verb.about(), parameters: parameters.join(", ") }
}
