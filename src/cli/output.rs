//! Writing to stdout and stderr. A reader that went away is no reason to fail: what it asked for is
//! not wanted any more.

use std::io::{self, ErrorKind, Write};

/// Writes a line for programs.
///
/// # Errors
/// When it cannot be written, except to a reader that went away.
pub(super) fn tell(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes text for people.
pub(super) fn complain(text: &str) {
    // There is nobody left to tell when this fails.
    let _ = writeln!(io::stderr().lock(), "{text}");
}
