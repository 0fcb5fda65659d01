//! The little language in which rows say what `data` and payloads hold, read and compared with JSON.
//!
//! ```text
//! list   = "*" | [ member *( ", " member ) ]
//! member = ".." name | name [ "?" ] [ "{" list "}" | "[" [ name | "{" list "}" ] "]" ]
//! ```
//! A name alone that is one of `SHAPES` has that shape; so has what stands in brackets.

use serde_json::Value;
use stentor::message::told::SHAPES;

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Not told further.
    Anything,
    Object(Vec<Member>),
    List(Box<Self>),
    /// One of `SHAPES`.
    Named(&'static str),
}

/// A member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) optional: bool,
    pub(crate) shape: Shape,
}

/// What `text` says.
pub(crate) fn read(text: &str) -> Shape {
    let mut rest = text;
    let shape = list(&mut rest);
    assert!(rest.is_empty(), "{text}: {rest:?} is left over");
    shape
}

fn named(name: &str) -> Option<&'static str> {
    SHAPES.iter().map(|shape| shape.name).find(|known| *known == name)
}

/// The members of a shape by name.
pub(crate) fn members(name: &str) -> Vec<Member> {
    let shape = SHAPES.iter().find(|shape| shape.name == name);
    let shape = shape.unwrap_or_else(|| panic!("there is no shape {name}"));
    match read(shape.holds) {
        Shape::Object(members) => members,
        other => panic!("{name} is no object: {other:?}"),
    }
}

fn skip(rest: &mut &str, what: &str) -> bool {
    match rest.strip_prefix(what) {
        Some(after) => {
            *rest = after;
            true
        }
        None => false,
    }
}

fn name<'a>(rest: &mut &'a str) -> &'a str {
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    *rest = after;
    name
}

fn list(rest: &mut &str) -> Shape {
    if skip(rest, "*") {
        return Shape::Anything;
    }
    let mut all = Vec::new();
    loop {
        if skip(rest, "..") {
            all.extend(members(name(rest)));
        } else {
            let name = name(rest);
            if name.is_empty() {
                assert!(all.is_empty(), "a name is missing before {rest:?}");
                return Shape::Object(all);
            }
            let optional = skip(rest, "?");
            let shape = if skip(rest, "{") {
                let inner = list(rest);
                assert!(skip(rest, "}"), "a brace is missing before {rest:?}");
                inner
            } else if skip(rest, "[") {
                Shape::List(Box::new(element(rest)))
            } else {
                named(name).map_or(Shape::Anything, Shape::Named)
            };
            all.push(Member { name: name.to_owned(), optional, shape });
        }
        if !skip(rest, ", ") {
            return Shape::Object(all);
        }
    }
}

fn element(rest: &mut &str) -> Shape {
    let shape = if skip(rest, "{") {
        let inner = list(rest);
        assert!(skip(rest, "}"), "a brace is missing before {rest:?}");
        inner
    } else {
        let name = name(rest);
        if name.is_empty() {
            Shape::Anything
        } else {
            Shape::Named(named(name).unwrap_or_else(|| panic!("there is no shape {name}")))
        }
    };
    assert!(skip(rest, "]"), "a bracket is missing before {rest:?}");
    shape
}

impl Shape {
    /// What of `value` is not as it is told, if anything; `at` is its place.
    pub(crate) fn wrong(&self, value: &Value, at: &str) -> Option<String> {
        match self {
            Self::Anything => None,
            // Rows tell names, not types: who is not known is told as `null`.
            _ if value.is_null() => None,
            Self::Named(name) => Self::Object(members(name)).wrong(value, at),
            Self::List(element) => match value {
                Value::Array(list) => list.iter().find_map(|value| element.wrong(value, at)),
                other => Some(format!("{at} is no list: {other}")),
            },
            Self::Object(members) => {
                let Value::Object(object) = value else {
                    return Some(format!("{at} is no object: {value}"));
                };
                let told = |name: &String| members.iter().any(|member| member.name == *name);
                if let Some(untold) = object.keys().find(|name| !told(name)) {
                    return Some(format!("{at}.{untold} is not told"));
                }
                members.iter().find_map(|member| match object.get(&member.name) {
                    Some(value) => member.shape.wrong(value, &format!("{at}.{}", member.name)),
                    None if member.optional => None,
                    None => Some(format!("{at}.{} is told and not there", member.name)),
                })
            }
        }
    }
}

#[test]
fn shapes_are_read_and_compared() {
    let shape = read("a, b?{c}, d[{e?}], f[card], g{*}, user");
    let good = serde_json::json!({"a": 1, "d": [{}, {"e": 2}], "f": [{"id": 1, "username": 2}],
        "g": {"x": 1}, "user": {"id": 1, "username": 2, "display_name": 3}});
    assert_eq!(shape.wrong(&good, "data"), None);
    for (name, value, wrong) in [
        ("z", serde_json::json!(1), "data.z is not told"),
        ("b", serde_json::json!({}), "data.b.c is told and not there"),
        ("d", serde_json::json!([{"x": 1}]), "data.d.x is not told"),
        ("f", serde_json::json!([{"id": 1}]), "data.f.username is told and not there"),
        ("d", serde_json::json!({}), "data.d is no list: {}"),
    ] {
        let mut bad = good.clone();
        bad[name] = value;
        assert_eq!(shape.wrong(&bad, "data").as_deref(), Some(wrong));
    }
    assert_eq!(read("").wrong(&serde_json::json!({}), "data"), None);
    assert_eq!(read("*").wrong(&serde_json::json!([1]), "data"), None);
    assert_eq!(read("..card"), Shape::Object(members("card")));
}
