//! The rows of the catalogue: word = number in the schema, access, order, limit, example => what the
//! `data` of its reply holds, parameters.
//!
//! One file per topic. Each hands what it was given and its own rows to the next, and `verbs!` gets all:
//! the enums made of them are closed.
//!
//! Numbers are never reused (`proto/README.md`): 1–4 are those of SPEC §8, verbs begin at
//! 10, 100 is `request_id`.

#[macro_use]
mod accounts;
#[macro_use]
mod chats;
#[macro_use]
mod messages;
#[macro_use]
mod basics;
#[macro_use]
mod channels;
#[macro_use]
mod presence;
#[macro_use]
mod calls;
#[macro_use]
mod admin;
#[macro_use]
mod executions;
#[macro_use]
mod inbox;

use serde::Deserialize;

use super::value::{
    ClientInfo, Enveloped, Implicit, ImplicitJson, Position, Secret, Text, Texts, Value,
};
use super::{Access, Answers, Kind, Order, Parameter, Presence, Rate, members, refusal};
use crate::message::fault::Fault;
use crate::message::json::{Json, JsonCheck, Payload};
use crate::message::record::Visibility;

account_rows! {
    chat_rows message_rows basic_rows channel_rows presence_rows inbox_rows execution_rows call_rows admin_rows verbs; 'a;
}
