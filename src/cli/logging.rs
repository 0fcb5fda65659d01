//! Log lines on stderr: text for people, or one JSON object each. `RUST_LOG` filters, default `info`.
//!
//! Law: one record is one line, whatever somebody put into a name: controls are escaped.

use std::io::{self, Write};

use env_logger::{Builder, Env};
use log::Record;
use serde::Serialize;

use super::arguments::LogFormat;

/// Starts the log.
pub(super) fn start(format: LogFormat) {
    let mut builder = Builder::from_env(Env::default().default_filter_or("info"));
    builder.format(move |out, record| {
        let time = out.timestamp_millis().to_string();
        match format {
            LogFormat::Text => text(out, &time, record),
            LogFormat::Json => json(out, &time, record),
        }
    });
    builder.init();
}

fn text(out: &mut impl Write, time: &str, record: &Record<'_>) -> io::Result<()> {
    let mut message = String::new();
    for c in record.args().to_string().chars() {
        if c.is_control() { message.extend(c.escape_default()) } else { message.push(c) }
    }
    writeln!(out, "{time} {:<5} {message}", record.level())
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: &'a str,
    level: &'static str,
    target: &'a str,
    message: String,
}

fn json(out: &mut impl Write, time: &str, record: &Record<'_>) -> io::Result<()> {
    let line = Line {
        timestamp: time,
        level: record.level().as_str(),
        target: record.target(),
        message: record.args().to_string(),
    };
    let mut bytes = serde_json::to_vec(&line)?;
    bytes.push(b'\n');
    out.write_all(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::Level;

    #[test]
    fn a_record_is_one_line_whatever_it_says() {
        let message = format_args!("é \"quoted\"\nINFO forged\u{1b}[2J");
        let mut record = Record::builder();
        let record = record.level(Level::Warn).target("stentor::net");
        let (mut plain, mut object) = (Vec::new(), Vec::new());
        text(&mut plain, "T", &record.args(message).build()).unwrap();
        assert_eq!(
            String::from_utf8(plain).unwrap(),
            "T WARN  é \"quoted\"\\nINFO forged\\u{1b}[2J\n"
        );
        let message = format_args!("é \"quoted\"\nINFO forged\u{1b}[2J");
        json(&mut object, "T", &record.args(message).build()).unwrap();
        assert_eq!(object.iter().filter(|byte| **byte < b' ').count(), 1, "the end of the line");
        let value: serde_json::Value = serde_json::from_slice(&object).unwrap();
        assert_eq!(value["message"], "é \"quoted\"\nINFO forged\u{1b}[2J");
        assert_eq!((&value["level"], &value["target"]), (&"WARN".into(), &"stentor::net".into()));
    }
}
