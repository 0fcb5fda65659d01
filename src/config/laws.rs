//! What holds for a configuration, whatever stands in it; called by tests and by the target `config`.

use std::path::Path;

use super::file::FileError;
use super::{Config, Error, KEYS, Key};

/// The name of the file in complaints.
const FILE: &str = "stentor.toml";

/// A file, pairs and variables are read or complained of, by the name of the key and the place; what
/// was read is within its bounds and, written out, reads the same; what is finished does not
/// contradict itself.
///
/// Input: a file; each of its lines is also a `KEY=VALUE`, and a variable behind `STENTOR_`.
///
/// # Panics
///
/// When a law is broken.
pub fn config(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    law(text, written);
}

/// How the law writes a configuration: [`written`], or something planted to see the law fail.
type Write = fn(&mut Config) -> String;

fn law(text: &str, write: Write) {
    let mut config = Config::default();
    match config.read_text(Path::new(FILE), text) {
        Ok(()) => {
            reads_again(&mut config, write);
            finishes(config, write);
        }
        Err(FileError::Wrong(complaint)) => {
            let place = complaint.strip_prefix(FILE).and_then(|rest| rest.strip_prefix(':'));
            let line = place.and_then(|place| place.split(':').next()?.parse::<usize>().ok());
            let lines = text.lines().count().max(1);
            assert!(line.is_some_and(|line| (1..=lines + 1).contains(&line)), "{complaint}");
            assert!(complaint.contains('^'), "the place is shown: {complaint}");
        }
        Err(FileError::Io(..)) => panic!("no file was read"),
    }
    let mut config = Config::default();
    for pair in text.lines() {
        let before = values(&mut config);
        if let Err(error) = config.set_pair(pair) {
            names(&error, pair.split_once('=').map(|(key, _)| key.trim()));
            assert_eq!(values(&mut config), before, "what is refused changes nothing: {pair}");
        }
    }
    reads_again(&mut config, write);
    finishes(config, write);
    let variables = text.lines().filter_map(|line| line.split_once('='));
    let variables = variables.map(|(name, value)| (format!("STENTOR_{name}"), value.to_owned()));
    let mut config = Config::default();
    match config.environment(variables) {
        Ok(warnings) => {
            warnings.iter().for_each(|one| assert!(one.starts_with("STENTOR_"), "{one}"))
        }
        Err(error) => names(&error, None),
    }
    reads_again(&mut config, write);
}

/// An error says whose it is.
fn names(error: &Error, written: Option<&str>) {
    let told = error.to_string();
    match error {
        Error::BadValue { key, .. } => {
            assert!(told.starts_with(&**key) && written.is_none_or(|name| name == key), "{told}");
        }
        Error::UnknownKey { key, .. } => {
            assert!(told.contains(&format!("`{key}`")) && written.is_none_or(|name| name == key));
        }
        Error::NotAPair(text) => assert!(written.is_none() && told.contains(text.as_str())),
        Error::Contradiction(_) => panic!("nothing was held against anything: {told}"),
    }
}

/// Every key with its value, as it would be written.
fn values(config: &mut Config) -> Vec<(String, String)> {
    let mut all: Vec<_> = KEYS.iter().map(|key| (key.name.to_owned(), key.value(config))).collect();
    all.push(("http.allowed_origins".to_owned(), format!("{:?}", config.allowed_origins)));
    all.push(("http.allowed_hosts".to_owned(), format!("{:?}", config.allowed_hosts)));
    all.extend(config.namespaces_written());
    all
}

/// The configuration as a file.
fn written(config: &mut Config) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let line = |key: &Key| {
        let value = match key.name {
            "http.allowed_origins" | "http.allowed_hosts" => {
                let origins = key.name == "http.allowed_origins";
                let texts = if origins { &config.allowed_origins } else { &config.allowed_hosts };
                let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
                format!("[{}]", texts.join(", "))
            }
            _ => match key.value(config) {
                unset if unset.is_empty() => return String::new(),
                value if value.parse::<u64>().is_ok() => value,
                value => quoted(&value),
            },
        };
        format!("{} = {value}\n", key.name)
    };
    let mut text: String = KEYS.iter().map(line).collect();
    for (key, value) in config.namespaces_written() {
        // A name may hold dots: it is quoted.
        let Some((name, key)) = super::namespaces::split(&key) else { continue };
        let value = if value.parse::<u64>().is_ok() { value } else { quoted(&value) };
        text.push_str(&format!("namespaces.{}.{key} = {value}\n", quoted(name)));
    }
    text
}

fn reads_again(config: &mut Config, write: Write) {
    let text = write(config);
    let mut again = Config::default();
    let read = again.read_text(Path::new(FILE), &text).map_err(|error| error.to_string());
    assert_eq!(read, Ok(()), "what is written can be read");
    assert_eq!(values(&mut again), values(config), "what is written reads the same");
}

/// What is finished fits together, and stays what it is when it is written, read and finished again.
fn finishes(mut config: Config, write: Write) {
    match config.finish() {
        Ok(()) => {
            let (engine, router) = (&config.engine, &config.router);
            assert!(router.unauthenticated_message_bytes <= router.message_bytes);
            assert!(engine.outbox_soft_bytes <= engine.outbox_bytes);
            assert!(router.heartbeat_ms < engine.dead_ms);
            assert!(config.auth.access_s <= config.auth.refresh_s);
            assert_eq!(engine.message_bytes, router.unauthenticated_message_bytes);
            let text = write(&mut config);
            let mut again = Config::default();
            let _ = again.read_text(Path::new(FILE), &text);
            if !config.keys_set.contains("tls.client_auth") {
                again.keys_set.remove("tls.client_auth");
            }
            assert_eq!(again.finish(), Ok(()), "what fitted fits: {text}");
            assert_eq!(values(&mut again), values(&mut config), "nothing follows a second time");
        }
        Err(error) => assert!(matches!(error, Error::Contradiction(_)), "{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &str = "[limits]\nmessage_bytes = 0x1_0000\nlogins_per_minute = \"none\"\ndead_ms = 300\n\
        [http]\nallowed_origins = [\"https://a.example\", \"a, b\"]\n[namespaces.\"a.b\"]\ndurable = true\n[tls]\ncert = \"a\\u0001\\\"b\"\nkey = 'k'\n";

    #[test]
    fn a_file_pairs_and_variables_obey() {
        config(SEED.as_bytes());
        config(
            b"limits.dead_ms=5\n LIMITS_DEAD_MS=6\nLIMITS_DEAD_MS=7\nlimits.frobnicate = 1\nwhat",
        );
    }

    #[test]
    #[should_panic(expected = "what is written reads the same")]
    fn a_value_that_is_written_otherwise_breaks_the_law() {
        law(SEED, |config| written(config).replace("dead_ms = 300", "dead_ms = 301"));
    }

    #[test]
    #[should_panic(expected = "what is written can be read")]
    fn what_cannot_be_read_again_breaks_the_law() {
        law(SEED, |config| written(config).replace("dead_ms", "dead_s"));
    }
}
