//! Which parameter was wrong: a second, slow look at a message that serde refused.
//!
//! serde says where it stopped, not always at which field; the catalogue knows every field, so each
//! is read once more by itself. Law: whenever the first look fails, this one names a field.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::value::{ClientInfo, Position, Text, Value};
use super::{Kind, Presence, Verb};
use crate::message::fault::{Code, Fault};
use crate::message::record::Visibility;

type Fields<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// Why `verb` does not take `text`.
pub(super) fn explain(verb: Verb, text: &str) -> Fault {
    let fields: Fields<'_> = serde_json::from_str(text).unwrap_or_default();
    verb.parameters()
        .iter()
        .find_map(|parameter| judge(parameter.name, parameter.shape, fields.get(parameter.name)))
        .unwrap_or_else(|| Fault::new(Code::BadRequest, "a parameter is wrong"))
        .hint(verb.example())
}

/// The refusal of a Protobuf parameter that is out of the range of its kind.
pub(super) fn of_field(name: &str, (kind, presence): (Kind, Presence)) -> Fault {
    match kind {
        // Of its parts only this one has a range.
        Kind::Position => wrong(&format!("{name}.offset"), wanted(Kind::Integer, presence, true)),
        _ => wrong(name, wanted(kind, presence, true)),
    }
}

/// What the catalogue says against the parameter `name`, if anything.
fn judge(name: &str, (kind, presence): (Kind, Presence), raw: Option<&&RawValue>) -> Option<Fault> {
    let json = raw.map(|raw| raw.get()).filter(|json| *json != "null" || kind == Kind::Payload);
    let Some(json) = json else {
        let needed = matches!(presence, Presence::Required | Presence::Repeated);
        return needed.then(|| Fault::field(name.to_owned(), format!("\"{name}\" is required")));
    };
    let right = match kind {
        Kind::Text if matches!(presence, Presence::Repeated | Presence::Listed) => {
            reads::<Vec<Text<'_>>>(json)
        }
        Kind::Text => reads::<Text<'_>>(json),
        Kind::Integer => reads::<u64>(json),
        Kind::Boolean => reads::<bool>(json),
        Kind::Json | Kind::Payload | Kind::RequestId => true,
        Kind::Visibility => reads::<Visibility>(json),
        Kind::ClientInfo => reads::<ClientInfo<'_>>(json),
        Kind::Position => reads::<Position<'_>>(json),
    };
    if right {
        return None;
    }
    let parts: &[_] = match kind {
        Kind::ClientInfo => &[
            ("client_id", (Kind::Text, Presence::Optional)),
            ("version", (Kind::Text, Presence::Optional)),
            ("platform", (Kind::Text, Presence::Optional)),
        ],
        Kind::Position => &[
            ("offset", (Kind::Integer, Presence::Required)),
            ("epoch", (Kind::Text, Presence::Required)),
        ],
        _ => &[],
    };
    let inner: Option<Fields<'_>> = serde_json::from_str(json).ok();
    let of_part = inner.and_then(|fields| {
        parts
            .iter()
            .find_map(|(part, shape)| judge(&format!("{name}.{part}"), *shape, fields.get(*part)))
    });
    let an_integer = json.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit());
    of_part.or_else(|| Some(wrong(name, wanted(kind, presence, an_integer))))
}

fn wrong(name: &str, wanted: &str) -> Fault {
    Fault::field(name.to_owned(), format!("\"{name}\" must be {wanted}"))
}

/// What a value of `kind` looks like, for people; `an_integer` when it is one, but not in range.
const fn wanted(kind: Kind, presence: Presence, an_integer: bool) -> &'static str {
    match kind {
        Kind::Text if matches!(presence, Presence::Repeated | Presence::Listed) => {
            "a list of strings"
        }
        Kind::Text | Kind::RequestId => "a string",
        Kind::Integer if an_integer => "an integer from 0 to 9007199254740991",
        Kind::Integer => "an integer",
        Kind::Boolean => "true or false",
        Kind::Json | Kind::Payload => "JSON",
        Kind::Visibility => "\"public\" or \"private\"",
        Kind::ClientInfo | Kind::Position => "an object",
    }
}

/// Whether `json` is a `T`.
fn reads<'a, T: Deserialize<'a> + Value<'a>>(json: &'a str) -> bool {
    serde_json::from_str::<T>(json).is_ok_and(|value| value.fits())
}
