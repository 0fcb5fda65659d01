//! The HTTP/1.1 subset against what is known to go wrong with HTTP, one table per kind of attack.
//!
//! RFC 9112. Law: every case gives the same however its bytes are cut. A case is what was sent and
//! what has to come out: requests as `METHOD path body`, `+` when the connection stays, then the
//! status of the error that ended it, if one did.

mod connection;
mod framing;
mod head;
mod limits;
mod target;

use stentor::protocol::http::{Decoder, Event, Limits};
use stentor::protocol::split::same_however_split;

/// What comes out of `pieces`, in order.
fn outcome(limits: Limits, pieces: &[&[u8]]) -> Vec<String> {
    let mut decoder = Decoder::new(limits);
    let mut outcome = Vec::new();
    for piece in pieces {
        let mut at = 0;
        loop {
            match decoder.decode(piece, &mut at) {
                Ok(Some(Event::Continue)) => outcome.push("100".to_owned()),
                Ok(Some(Event::Request)) => {
                    let request = decoder.request().expect("a request after its event");
                    outcome.push(format!(
                        "{} {} {}{}",
                        request.method,
                        request.path,
                        request.body.escape_ascii(),
                        if request.keep_alive { "+" } else { "" }
                    ));
                }
                Ok(None) => break,
                Err(error) => {
                    outcome.push(error.status().to_string());
                    return outcome;
                }
            }
        }
    }
    outcome
}

/// Sends `input` cut in every way and compares.
#[track_caller]
fn check(limits: Limits, input: &str, expected: &[&str]) {
    let got = same_however_split(input.as_bytes(), |pieces| outcome(limits, pieces));
    assert_eq!(got, expected, "{}", input.escape_debug());
}

/// [`check`] under the usual limits.
#[track_caller]
fn gives(input: &str, expected: &[&str]) {
    check(Limits::default(), input, expected);
}

/// A `GET` with these lines after the request line, each ended by CRLF.
fn get(fields: &[&str]) -> String {
    message("GET / HTTP/1.1", fields, "")
}

/// A message of a request line, fields and a body.
fn message(line: &str, fields: &[&str], body: &str) -> String {
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    format!("{line}\r\n{fields}\r\n{body}")
}

const HOST: &str = "Host: a";
const POST: &str = "POST / HTTP/1.1";
