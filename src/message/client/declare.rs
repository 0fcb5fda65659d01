//! The macros that turn one row per verb into its struct, its Protobuf twin and its place in the enums.
//!
//! A row is written once, in `rows/`, in the words of a `.proto` file; derives of serde and prost on
//! one type do not work (prost owns its fields, serde borrows them), so two types come from it.
//! Limit: a kind of parameter is one line in each of the three tables below.

/// The type of a parameter in the verb's struct.
macro_rules! domain {
    ($lt:lifetime optional $kind:ident) => { Option<domain!($lt $kind)> };
    ($lt:lifetime repeated $kind:ident) => { Vec<domain!($lt $kind)> };
    ($lt:lifetime implicit integer) => { Implicit };
    ($lt:lifetime listed text) => { Texts<$lt> };
    ($lt:lifetime implicit json) => { ImplicitJson<$lt> };
    ($lt:lifetime implicit request_id) => { Enveloped };
    ($lt:lifetime text) => { Text<$lt> };
    ($lt:lifetime secret) => { Secret<$lt> };
    ($lt:lifetime integer) => { u64 };
    ($lt:lifetime boolean) => { bool };
    ($lt:lifetime json) => { Json<$lt> };
    ($lt:lifetime payload) => { Payload<$lt> };
    ($lt:lifetime visibility) => { Visibility };
    ($lt:lifetime client_info) => { ClientInfo<$lt> };
    ($lt:lifetime position) => { Position<$lt> };
}

/// The kind and the presence of a parameter as values.
macro_rules! shape {
    (optional $kind:ident) => { (shape!(@ $kind), Presence::Optional) };
    (repeated $kind:ident) => { (shape!(@ $kind), Presence::Repeated) };
    (implicit $kind:ident) => { (shape!(@ $kind), Presence::Implicit) };
    (listed $kind:ident) => { (shape!(@ $kind), Presence::Listed) };
    ($kind:ident) => { (shape!(@ $kind), Presence::Required) };
    (@ text) => { Kind::Text };
    (@ secret) => { Kind::Text };
    (@ integer) => { Kind::Integer };
    (@ boolean) => { Kind::Boolean };
    (@ json) => { Kind::Json };
    (@ payload) => { Kind::Payload };
    (@ visibility) => { Kind::Visibility };
    (@ client_info) => { Kind::ClientInfo };
    (@ position) => { Kind::Position };
    (@ request_id) => { Kind::RequestId };
}

/// What may be said or not.
macro_rules! said {
    () => {
        None
    };
    ($text:literal) => {
        Some($text)
    };
}

/// The Protobuf twin of a verb's struct; takes one field at a time, because prost reads attributes.
macro_rules! twin {
    ([$name:ident $about:tt] { $($done:tt)* }) => {
        #[doc = $about]
        #[derive(Clone, PartialEq, Eq, ::prost::Message)]
        #[prost(skip_debug)]
        pub struct $name { $($done)* }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                // A twin may hold a password: its name has to be enough for a log.
                f.write_str(stringify!($name))
            }
        }
    };
    ($to:tt $done:tt [$($doc:tt)*] $f:ident: text = $tag:tt; $($rest:tt)*) => {
        twin!(@ $to $done [$($doc)* #[prost(string, tag = $tag)]] $f: String; $($rest)*);
    };
    ($to:tt $done:tt [$($doc:tt)*] $f:ident: optional text = $tag:tt; $($rest:tt)*) => {
        twin!(@ $to $done [$($doc)* #[prost(string, optional, tag = $tag)]] $f: Option<String>; $($rest)*);
    };
    ($to:tt $done:tt [$($doc:tt)*] $f:ident: repeated text = $tag:tt; $($rest:tt)*) => {
        twin!(@ $to $done [$($doc)* #[prost(string, repeated, tag = $tag)]] $f: Vec<String>; $($rest)*);
    };
    ($to:tt $done:tt [$($doc:tt)*] $f:ident: integer = $tag:tt; $($rest:tt)*) => {
        twin!(@ $to $done [$($doc)* #[prost(uint64, tag = $tag)]] $f: u64; $($rest)*);
    };
    ($to:tt $done:tt [$($doc:tt)*] $f:ident: optional integer = $tag:tt; $($rest:tt)*) => {
        twin!(@ $to $done [$($doc)* #[prost(uint64, optional, tag = $tag)]] $f: Option<u64>; $($rest)*);
    };
    ($to:tt $done:tt [$($doc:tt)*] $f:ident: optional boolean = $tag:tt; $($rest:tt)*) => {
        twin!(@ $to $done [$($doc)* #[prost(bool, optional, tag = $tag)]] $f: Option<bool>; $($rest)*);
    };
    ($to:tt $done:tt [$($doc:tt)*] $f:ident: json = $tag:tt; $($rest:tt)*) => {
        twin!(@ $to $done [$($doc)* #[prost(bytes = "vec", tag = $tag)]] $f: Vec<u8>; $($rest)*);
    };
    ($to:tt $done:tt [$($doc:tt)*] $f:ident: optional json = $tag:tt; $($rest:tt)*) => {
        twin!(@ $to $done [$($doc)* #[prost(bytes = "vec", optional, tag = $tag)]] $f: Option<Vec<u8>>; $($rest)*);
    };
    ($to:tt $done:tt [$($doc:tt)*] $f:ident: optional client_info = $tag:tt; $($rest:tt)*) => {
        twin!(@ $to $done [$($doc)* #[prost(message, optional, tag = $tag)]] $f: Option<ClientInfo>; $($rest)*);
    };
    ($to:tt $done:tt [$($doc:tt)*] $f:ident: optional position = $tag:tt; $($rest:tt)*) => {
        twin!(@ $to $done [$($doc)* #[prost(message, optional, tag = $tag)]] $f: Option<Position>; $($rest)*);
    };
    // The kinds that are told apart by what they mean, not by how they travel.
    ($to:tt $done:tt $doc:tt $f:ident: implicit integer = $($rest:tt)*) => {
        twin!($to $done $doc $f: integer = $($rest)*);
    };
    ($to:tt $done:tt $doc:tt $f:ident: implicit json = $($rest:tt)*) => {
        twin!($to $done $doc $f: json = $($rest)*);
    };
    ($to:tt $done:tt $doc:tt $f:ident: implicit request_id = $($rest:tt)*) => {
        twin!($to $done $doc $f: text = $($rest)*);
    };
    ($to:tt $done:tt $doc:tt $f:ident: listed text = $($rest:tt)*) => {
        twin!($to $done $doc $f: repeated text = $($rest)*);
    };
    ($to:tt $done:tt $doc:tt $f:ident: secret = $($rest:tt)*) => {
        twin!($to $done $doc $f: text = $($rest)*);
    };
    ($to:tt $done:tt $doc:tt $f:ident: visibility = $($rest:tt)*) => {
        twin!($to $done $doc $f: text = $($rest)*);
    };
    ($to:tt $done:tt $doc:tt $f:ident: optional visibility = $($rest:tt)*) => {
        twin!($to $done $doc $f: optional text = $($rest)*);
    };
    ($to:tt $done:tt $doc:tt $f:ident: payload = $($rest:tt)*) => {
        twin!($to $done $doc $f: json = $($rest)*);
    };
    (@ $to:tt { $($done:tt)* } [$($attribute:tt)*] $f:ident: $type:ty; $($rest:tt)*) => {
        twin!($to { $($done)* $($attribute)* pub $f: $type, } $($rest)*);
    };
}

/// The struct of a verb; a verb whose parameters borrow nothing has no lifetime.
macro_rules! domain_struct {
    ([$about:literal] $name:ident <$lt:lifetime> $fields:tt) => {
        #[doc = $about]
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
        #[serde(bound(deserialize = "'de: 'a"))]
        pub struct $name<$lt> $fields
    };
    ([$about:literal] $name:ident $fields:tt) => {
        #[doc = $about]
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
        pub struct $name $fields
    };
}

/// All verbs: see `rows/mod.rs` for what a row says.
macro_rules! verbs {
    (; $a:lifetime; $(
        #[doc = $about:literal]
        $name:ident $(<$lt:lifetime>)? $word:literal = $number:tt, $access:ident, $order:ident, $rate:ident,
        $example:literal $(=> $data:literal)? {
            $( #[doc = $note:literal] $field:ident: $k1:ident $($k2:ident)? = $tag:tt; )*
        }
    )*) => {
        $( domain_struct!([$about] $name $(<$lt>)? {
            $( #[doc = $note] pub $field: domain!($a $k1 $($k2)?), )*
        }); )*

        /// What a client may ask for: one variant per row of the catalogue.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Verb {
            $( #[doc = $about] $name, )*
        }

        impl Verb {
            /// All verbs, in the order of [`Verb::index`].
            pub const ALL: &[Self] = &[$( Self::$name, )*];

            /// The `type` of its requests and replies.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $( Self::$name => $word, )* }
            }

            /// The verb of this word.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word { $( $word => Some(Self::$name), )* _ => None }
            }

            /// Its field number in the oneof of `ClientMessage`.
            #[must_use]
            pub const fn tag(self) -> u32 {
                match self { $( Self::$name => $number, )* }
            }

            /// The verb of this field number.
            #[must_use]
            pub const fn of_tag(tag: u32) -> Option<Self> {
                match tag { $( $number => Some(Self::$name), )* _ => None }
            }

            /// Who may ask it.
            #[must_use]
            pub const fn access(self) -> Access {
                match self { $( Self::$name => Access::$access, )* }
            }

            /// How it stands to the requests before it on the same connection.
            #[must_use]
            pub const fn order(self) -> Order {
                match self { $( Self::$name => Order::$order, )* }
            }

            /// Which limit counts it.
            #[must_use]
            pub const fn rate(self) -> Rate {
                match self { $( Self::$name => Rate::$rate, )* }
            }

            /// What it does, in one line for people.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $( Self::$name => $about.trim_ascii(), )* }
            }

            /// A line to type that asks it.
            #[must_use]
            pub const fn example(self) -> &'static str {
                match self { $( Self::$name => $example, )* }
            }

            /// What `data` of its reply holds: names, `?` where one may be absent, `{…}` and `[…]` of
            /// what is within. A name alone may be that of one of the
            /// [`SHAPES`](crate::message::told::SHAPES), `..name` stands for the members of that one, `*`
            /// for anything. `None` when the row does not say.
            #[must_use]
            pub const fn data(self) -> Option<&'static str> {
                match self { $( Self::$name => said!($($data)?), )* }
            }

            /// Its parameters, in the order of their tags.
            #[must_use]
            pub const fn parameters(self) -> &'static [Parameter] {
                match self { $( Self::$name => const { &[ $( Parameter {
                    name: stringify!($field),
                    shape: shape!($k1 $($k2)?),
                    tag: $tag,
                    about: $note.trim_ascii(),
                }, )* ] }, )* }
            }
        }

        /// A request with its parameters, borrowed from the message.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Request<$a> {
            $( #[doc = $about] $name($name $(<$lt>)?), )*
        }

        impl<$a> Request<$a> {
            /// What is asked.
            #[must_use]
            pub const fn verb(&self) -> Verb {
                match self { $( Self::$name(_) => Verb::$name, )* }
            }

            /// Has it answered by whoever answers requests of every verb.
            #[inline]
            pub fn answered_by<A, O>(&self, by: &mut A) -> O
            where
                $( A: Answers<$name $(<$lt>)?, O>, )*
            {
                match self { $( Self::$name(request) => by.answer(request), )* }
            }

            /// Reads the parameters of `verb` from the JSON object `text`, which was scanned before.
            ///
            /// # Errors
            /// `bad_request` naming the field that is missing or wrong, with an example.
            pub fn from_json(verb: Verb, text: &$a str) -> Result<Self, Fault> {
                match verb { $( Verb::$name => {
                    let Ok(it) = members::read::<$name $(<$lt>)?>(text) else {
                        return Err(refusal::explain(verb, text));
                    };
                    $( if !it.$field.fits() {
                        return Err(refusal::explain(verb, text));
                    } )*
                    Ok(Self::$name(it))
                } )* }
            }

            /// Reads the parameters of a Protobuf message; `json` judges the bytes that hold JSON.
            ///
            /// # Errors
            /// `bad_request` naming the field that is out of range.
            pub fn from_wire(
                message: &$a wire::MessageType,
                json: JsonCheck,
            ) -> Result<Self, Fault> {
                match message { $( wire::MessageType::$name(it) => {
                    let _ = (it, json); // not every verb has parameters
                    Ok(Self::$name($name { $(
                        $field: Value::from_wire(&it.$field, json)
                            .ok_or_else(|| refusal::of_field(stringify!($field), shape!($k1 $($k2)?)))?,
                    )* }))
                } )* }
            }
        }

        impl wire::MessageType {
            /// What is asked.
            #[must_use]
            pub const fn verb(&self) -> Verb {
                match self { $( Self::$name(_) => Verb::$name, )* }
            }
        }

        /// The Protobuf twins (SPEC §8): what prost reads, owned.
        pub mod wire {
            pub use super::super::nested::{ClientInfo, Position};

            $( twin!([$name $about] {} $( [#[doc = $note]] $field: $k1 $($k2)? = $tag; )*); )*

            /// A message of a client.
            #[derive(Clone, PartialEq, Eq, ::prost::Message)]
            pub struct ClientMessage {
                /// What is asked; `None` when this server does not know it.
                #[prost(oneof = "MessageType", tags($($number),*))]
                pub message_type: Option<MessageType>,
                /// Echoed in the reply; empty when there is none.
                #[prost(string, tag = 100)]
                pub request_id: String,
            }

            /// The oneof: its tag is the verb.
            #[derive(Clone, PartialEq, Eq, ::prost::Oneof)]
            pub enum MessageType {
                $( #[doc = $about] #[prost(message, tag = $number)] $name($name), )*
            }
        }
    };
}
