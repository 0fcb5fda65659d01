//! The members of an object that was scanned before, read one at a time into the struct of a verb.
//!
//! A value that passes through unread is cut out by its brackets: serde_json would walk it with a
//! stack of its own, which costs a block per message. Every other value is left to serde_json.
//!
//! Law: of a scanned object the same is read as serde_json reads. Limit: nothing is validated here.

use serde::Deserializer;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Error as _, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::Error;

use crate::message::json::RAW;

/// Reads the object `text`.
pub(crate) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    let members = text.strip_prefix('{').ok_or_else(|| Error::custom("no object"))?;
    T::deserialize(Members { rest: members, value: "" })
}

/// What is left of an object after its `{`.
struct Members<'a> {
    rest: &'a str,
    /// Of the key that was read last.
    value: &'a str,
}

impl<'a> Members<'a> {
    /// The next key, quoted; its value is kept.
    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', ',']);
        if !rest.starts_with('"') {
            return None;
        }
        let (key, rest) = rest.split_at_checked(length(rest)?)?;
        let rest = rest.trim_start_matches([' ', '\t', '\n', '\r', ':']);
        (self.value, self.rest) = rest.split_at_checked(length(rest)?)?;
        Some(key)
    }
}

/// How long the value is with which `text` begins; none when it does not end.
fn length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0_usize, 0_u32);
    loop {
        match bytes.get(at)? {
            b'"' => at = at.checked_add(quoted(bytes.get(at..)?)?)?,
            b'{' | b'[' => {
                depth = depth.checked_add(1)?;
                at = at.checked_add(1)?;
                continue;
            }
            b'}' | b']' if depth > 0 => {
                depth = depth.checked_sub(1)?;
                at = at.checked_add(1)?;
            }
            b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return Some(at),
            _ => {
                at = at.checked_add(1)?;
                continue;
            }
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// How long the string is with which `bytes` begin, its quotes included.
fn quoted(bytes: &[u8]) -> Option<usize> {
    let mut at = 1_usize;
    loop {
        let next = at.checked_add(memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?)?;
        if bytes.get(next) == Some(&b'"') {
            return next.checked_add(1);
        }
        at = next.checked_add(2)?;
    }
}

impl<'de> Deserializer<'de> for Members<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some(key) = self.next() else { return Ok(None) };
        let name = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
        if name.contains('\\') {
            let name: String = serde_json::from_str(key)?;
            return seed.deserialize(name.into_deserializer()).map(Some);
        }
        seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(Member(self.value))
    }
}

/// The text of one value.
struct Member<'a>(&'a str);

impl<'a> Member<'a> {
    /// What serde_json makes of it.
    fn parse<T>(
        self,
        read: impl FnOnce(
            &mut serde_json::Deserializer<serde_json::de::StrRead<'a>>,
        ) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut parser = serde_json::Deserializer::from_str(self.0);
        let value = read(&mut parser)?;
        parser.end().map(|()| value)
    }
}

/// The methods by which serde_json is asked for one kind of value.
macro_rules! parsed {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.parse(|parser| parser.$method(visitor))
        }
    )* };
}

impl<'de> Deserializer<'de> for Member<'de> {
    type Error = Error;

    parsed! {
        deserialize_any deserialize_bool deserialize_u64 deserialize_str deserialize_string
        deserialize_seq deserialize_map deserialize_identifier
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0 == "null" { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == RAW {
            visitor.visit_borrowed_str(self.0)
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.parse(|parser| parser.deserialize_struct(name, fields, visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.parse(|parser| parser.deserialize_enum(name, variants, visitor))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 f64 char bytes byte_buf unit unit_struct tuple
        tuple_struct
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    /// Any JSON value, a few levels deep.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ -~é\\\\\"\n]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-z{\\[\"\\\\]{0,4}", inner), 0..4)
                    .prop_map(Value::from_iter),
            ]
        })
    }

    proptest! {
        #[test]
        fn reads_what_serde_json_reads(
            members in prop::collection::btree_map("[a-z\"\\\\ é]{0,5}", value(), 0..5),
            pretty in any::<bool>(),
        ) {
            let object = Value::Object(members.into_iter().collect());
            let text = if pretty { format!("{object:#}") } else { object.to_string() };
            let read: Map<String, Value> = read(&text).unwrap();
            prop_assert_eq!(Value::Object(read), object);
        }

        #[test]
        fn what_is_no_object_is_refused_or_read_without_a_panic(text in "[\\[\\]{}\",:\\\\ 0-9a-z]{0,16}") {
            let _ = read::<Map<String, Value>>(&text);
        }
    }
}
