//! The types of parameters: each reads from JSON by serde and from its Protobuf twin.
//!
//! Law: both ways give the same value or the same refusal. Limit: shapes only; lengths, alphabets
//! and ranges of single parameters are checked where they mean something, in the router.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, de};

use super::wire;
use crate::message::json::{Json, JsonCheck, Payload};
use crate::message::record::Visibility;

/// The first integer that is none for us: beyond it JSON's doubles have holes (SPEC §3).
pub(super) const INTEGER_END: u64 = 1 << 53;

/// The type of a parameter in a verb's struct.
pub(super) trait Value<'a>: Sized {
    /// Its type in the Protobuf twin.
    type Wire;

    /// The value of the twin's field; `None` when it is out of its type's range.
    fn from_wire(field: &'a Self::Wire, json: JsonCheck) -> Option<Self>;

    /// Whether what serde read is within the type's range.
    fn fits(&self) -> bool {
        true
    }
}

impl<'a, T: Value<'a>> Value<'a> for Option<T> {
    type Wire = Option<T::Wire>;

    fn from_wire(field: &'a Self::Wire, json: JsonCheck) -> Option<Self> {
        match field {
            Some(value) => T::from_wire(value, json).map(Some),
            None => Some(None),
        }
    }

    fn fits(&self) -> bool {
        self.as_ref().is_none_or(T::fits)
    }
}

/// A string, borrowed from the message unless it was escaped there.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Text<'a>(Cow<'a, str>);

impl Text<'_> {
    /// The string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

impl<'a> Value<'a> for Text<'a> {
    type Wire = String;

    fn from_wire(field: &'a String, _: JsonCheck) -> Option<Self> {
        Some(Self::from(field.as_str()))
    }
}

impl<'a> Value<'a> for Vec<Text<'a>> {
    type Wire = Vec<String>;

    fn from_wire(field: &'a Vec<String>, _: JsonCheck) -> Option<Self> {
        Some(field.iter().map(|text| Text::from(text.as_str())).collect())
    }
}

/// A list of strings whose absence is an empty one.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Texts<'a>(Vec<Text<'a>>);

impl<'a> Deref for Texts<'a> {
    type Target = [Text<'a>];

    fn deref(&self) -> &[Text<'a>] {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|texts| Self(texts.unwrap_or_default()))
    }
}

impl<'a> Value<'a> for Texts<'a> {
    type Wire = Vec<String>;

    fn from_wire(field: &'a Vec<String>, json: JsonCheck) -> Option<Self> {
        Value::from_wire(field, json).map(Self)
    }
}

/// A password or a token: a string that no log shows.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent, bound(deserialize = "'de: 'a"))]
pub struct Secret<'a>(Text<'a>);

impl Secret<'_> {
    /// The secret, for those who check it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Secret<'a> {
    fn from(text: &'a str) -> Self {
        Self(Text::from(text))
    }
}

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl<'a> Value<'a> for Secret<'a> {
    type Wire = String;

    fn from_wire(field: &'a String, _: JsonCheck) -> Option<Self> {
        Some(Self::from(field.as_str()))
    }
}

impl<'a> Value<'a> for u64 {
    type Wire = Self;

    fn from_wire(field: &'a Self, _: JsonCheck) -> Option<Self> {
        Some(*field).filter(Self::fits)
    }

    fn fits(&self) -> bool {
        *self < INTEGER_END
    }
}

/// An integer whose absence is 0, as a plain field of proto3 has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Implicit(
    /// The integer.
    pub u64,
);

impl<'de> Deserialize<'de> for Implicit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|value| Self(value.unwrap_or_default()))
    }
}

impl<'a> Value<'a> for Implicit {
    type Wire = u64;

    fn from_wire(field: &'a u64, json: JsonCheck) -> Option<Self> {
        u64::from_wire(field, json).map(Self)
    }

    fn fits(&self) -> bool {
        self.0.fits()
    }
}

/// JSON whose absence is an empty field, as plain `bytes` of proto3 have it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ImplicitJson<'a>(
    /// The JSON; absent or `null`: none.
    pub Option<Json<'a>>,
);

impl<'de: 'a, 'a> Deserialize<'de> for ImplicitJson<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self)
    }
}

impl<'a> Value<'a> for ImplicitJson<'a> {
    type Wire = Vec<u8>;

    fn from_wire(field: &'a Vec<u8>, json: JsonCheck) -> Option<Self> {
        if field.is_empty() {
            return Some(Self(None));
        }
        Json::from_wire(field, json).map(|json| Self(Some(json)))
    }
}

/// A `request_id` among the parameters: in Protobuf it wins over that of the envelope when it is set
/// (SPEC §8), in JSON it is that of the envelope. Either way whoever reads the envelope has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Enveloped;

impl<'de> Deserialize<'de> for Enveloped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<de::IgnoredAny>::deserialize(deserializer).map(|_| Self)
    }
}

impl<'a> Value<'a> for Enveloped {
    type Wire = String;

    fn from_wire(_: &'a String, _: JsonCheck) -> Option<Self> {
        Some(Self)
    }
}

impl<'a> Value<'a> for bool {
    type Wire = Self;

    fn from_wire(field: &'a Self, _: JsonCheck) -> Option<Self> {
        Some(*field)
    }
}

impl<'a> Value<'a> for Json<'a> {
    type Wire = Vec<u8>;

    fn from_wire(field: &'a Vec<u8>, json: JsonCheck) -> Option<Self> {
        json(field).map(Self::new)
    }
}

impl<'a> Value<'a> for Payload<'a> {
    type Wire = Vec<u8>;

    fn from_wire(field: &'a Vec<u8>, json: JsonCheck) -> Option<Self> {
        Some(json(field).map_or(Self::Bytes(field), |text| Self::of_client(Json::new(text))))
    }
}

impl<'a> Value<'a> for Visibility {
    type Wire = String;

    fn from_wire(field: &'a String, _: JsonCheck) -> Option<Self> {
        match field.as_str() {
            "public" => Some(Self::Public),
            "private" => Some(Self::Private),
            _ => None,
        }
    }
}

/// What a client says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", bound(deserialize = "'de: 'a"))]
pub struct ClientInfo<'a> {
    /// The device, chosen by the client: it names the cursor of the inbox.
    pub client_id: Option<Text<'a>>,
    /// The client's version.
    pub version: Option<Text<'a>>,
    /// The client's platform.
    pub platform: Option<Text<'a>>,
}

impl<'a> Value<'a> for ClientInfo<'a> {
    type Wire = wire::ClientInfo;

    fn from_wire(field: &'a wire::ClientInfo, json: JsonCheck) -> Option<Self> {
        Some(Self {
            client_id: Value::from_wire(&field.client_id, json)?,
            version: Value::from_wire(&field.version, json)?,
            platform: Value::from_wire(&field.platform, json)?,
        })
    }
}

/// A place in a channel: what comes after it was not seen yet.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", bound(deserialize = "'de: 'a"))]
pub struct Position<'a> {
    /// The offset last seen; 0 before the first.
    pub offset: u64,
    /// The numbering that the offset belongs to.
    pub epoch: Text<'a>,
}

impl<'a> Value<'a> for Position<'a> {
    type Wire = wire::Position;

    fn from_wire(field: &'a wire::Position, json: JsonCheck) -> Option<Self> {
        Some(Self {
            offset: Value::from_wire(&field.offset, json)?,
            epoch: Value::from_wire(&field.epoch, json)?,
        })
    }

    fn fits(&self) -> bool {
        self.offset.fits()
    }
}

/// Reads a nested struct from an object only: serde's derive would take an array as well.
macro_rules! from_object {
    ($name:ident) => {
        impl<'de: 'a, 'a> Deserialize<'de> for $name<'a> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;

                impl<'de> de::Visitor<'de> for Visitor {
                    type Value = $name<'de>;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: de::MapAccess<'de>>(
                        self,
                        map: A,
                    ) -> Result<$name<'de>, A::Error> {
                        $name::deserialize(de::value::MapAccessDeserializer::new(map))
                    }
                }

                deserializer.deserialize_map(Visitor)
            }
        }
    };
}

from_object!(ClientInfo);
from_object!(Position);
