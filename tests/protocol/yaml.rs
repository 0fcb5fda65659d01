//! JSON as YAML in blocks: objects and lists indented, every text in double quotes unless it is plain.

use serde_json::Value;

/// The document of `value`.
pub(crate) fn document(value: &Value) -> String {
    let mut out = String::new();
    block(&mut out, value, 0);
    out
}

fn block(out: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(object) if !object.is_empty() => {
            for (name, value) in object {
                out.push_str(&format!("{indent}{}:", text(name)));
                after(out, value, depth);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for value in list {
                out.push_str(&format!("{indent}-"));
                after(out, value, depth);
            }
        }
        other => out.push_str(&format!("{indent}{}\n", leaf(other))),
    }
}

fn after(out: &mut String, value: &Value, depth: usize) {
    let is_empty = match value {
        Value::Object(object) => object.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => true,
    };
    if is_empty {
        out.push_str(&format!(" {}\n", leaf(value)));
    } else {
        out.push('\n');
        block(out, value, depth + 1);
    }
}

fn leaf(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), text)
}

/// A text that YAML could take for something else is quoted; JSON's escapes are YAML's.
fn text(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/');
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain);
    let special = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    if word && !special.contains(&text.to_ascii_lowercase().as_str()) {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

#[test]
fn what_could_be_something_else_is_quoted() {
    let value = serde_json::json!({
        "a": [1, "x", {"b": {}, "c": []}, [true, null]],
        "no": "1.0", "k:v": "a: b\n", "word": "word"
    });
    let expected = "a:\n  - 1\n  - x\n  -\n    b: {}\n    c: []\n  -\n    - true\n    - null\n\
                    \"k:v\": \"a: b\\n\"\n\"no\": \"1.0\"\nword: word\n";
    assert_eq!(document(&value), expected);
}
