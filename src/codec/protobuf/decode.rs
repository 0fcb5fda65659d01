//! From a binary message to a request, or to the reason why not.

use std::borrow::Cow;

use prost::Message as _;

use super::scan::{Flaw, Head, What, scan};
use crate::codec::json::{self, Decoded, REQUEST_ID_BYTES_MAX, Refused, RequestId};
use crate::message::client::wire::{ClientMessage, MessageType};
use crate::message::client::{Request, Verb};
use crate::message::fault::{Code, Fault};

/// A binary message of a client, read but not judged; requests borrow from it.
#[derive(Clone, Debug)]
pub struct Message {
    read: Result<MessageType, Fault>,
    verb: Option<Verb>,
    /// As JSON.
    request_id: Option<Box<str>>,
}

impl Message {
    /// Reads one message.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Self {
        let mut head = Head::default();
        let scanned = scan(bytes, &mut head);
        let request_id = request_id(head.request_id);
        let read = scanned
            .map_err(Flaw::fault)
            .and_then(|()| asked(&head))
            .and_then(|verb| twin(verb, bytes));
        // The one in the request wins when it is set (SPEC §8).
        let inner = read.as_ref().ok().and_then(inner_request_id).filter(|id| !id.is_empty());
        let request_id = inner.map_or(request_id, |id| self::request_id(Some(id)));
        let (request_id, read) = match request_id {
            Ok(id) => (id, read),
            Err(fault) => (None, Err(fault)),
        };
        Self { read, verb: head.verb, request_id }
    }

    /// What is asked.
    ///
    /// # Errors
    /// `bad_request` or `unknown_type`.
    pub fn request(&self) -> Result<Decoded<'_>, Box<Refused<'_>>> {
        let request_id = self.request_id.as_deref().map(RequestId::quoted);
        let word = self.verb.map_or("error", Verb::word);
        let refused = |fault| Box::new(Refused { word: Cow::Borrowed(word), request_id, fault });
        let twin = self.read.as_ref().map_err(|fault| refused(fault.clone()))?;
        let request = Request::from_wire(twin, json::check).map_err(refused)?;
        Ok(Decoded { verb: twin.verb(), request_id, request })
    }
}

/// The verb of a message without flaws.
fn asked(head: &Head<'_>) -> Result<Verb, Fault> {
    match (head.verb, head.unknown) {
        (Some(verb), _) => Ok(verb),
        (None, Some(tag)) => {
            let message = format!("unknown type: ClientMessage has no field {tag} here");
            Err(Fault::new(Code::UnknownType, message))
        }
        (None, None) => Err(Fault::field("message_type", "the message asks nothing")),
    }
}

/// The parameters of the verb.
fn twin(verb: Verb, bytes: &[u8]) -> Result<MessageType, Fault> {
    let wrong = |why: String| {
        let message = format!("this is no \"{}\" of the schema: {why}", verb.word());
        Fault::new(Code::BadRequest, message)
    };
    match ClientMessage::decode(bytes) {
        Ok(message) => message.message_type.ok_or_else(|| wrong("it asks nothing".to_owned())),
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// The `request_id` that two of the requests have themselves.
const fn inner_request_id(twin: &MessageType) -> Option<&String> {
    match twin {
        MessageType::UiAction(request) => Some(&request.request_id),
        MessageType::DataRequest(request) => Some(&request.request_id),
        _ => None,
    }
}

/// An id in JSON; an empty one is none.
fn request_id(id: Option<&str>) -> Result<Option<Box<str>>, Fault> {
    let Some(id) = id.filter(|id| !id.is_empty()) else { return Ok(None) };
    if id.len() > REQUEST_ID_BYTES_MAX {
        let message = "\"request_id\" must be a string of at most 128 bytes";
        return Err(Fault::field("request_id", message));
    }
    let mut quoted = Vec::with_capacity(id.len().saturating_add(2));
    json::string(&mut quoted, id);
    Ok(String::from_utf8(quoted).ok().map(Into::into))
}

impl Flaw {
    /// Bytes are counted from 1, as in JSON.
    fn fault(self) -> Fault {
        let at = self.at.saturating_add(1);
        let wrong = |message: String| Fault::new(Code::BadRequest, message);
        match self.what {
            What::Cut => wrong(format!("the message ends within the field at byte {at}")),
            What::Number => wrong(format!("a number at byte {at} is no number of Protobuf")),
            What::WireType => {
                wrong(format!("the field at byte {at} has a wire type not read here"))
            }
            What::WrongType(100) => Fault::field("request_id", "\"request_id\" must be a string"),
            What::WrongType(tag) => {
                wrong(format!("field {tag} at byte {at} must be a message of its own"))
            }
            What::Requests => {
                Fault::field("message_type", format!("a second request begins at byte {at}"))
            }
            What::RequestIds => {
                Fault::field("request_id", format!("a second \"request_id\" is at byte {at}"))
            }
            What::Utf8 => Fault::field("request_id", "\"request_id\" must be UTF-8"),
        }
    }
}
