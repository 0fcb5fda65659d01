//! Connections that live for one echo: connect, upgrade, echo, close, and the next.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{Poll, Until, connect_now, drain};

/// Connections at once.
const AT_ONCE: usize = 64;

/// How far a connection is.
enum Stage {
    Connecting,
    Upgrading,
    Echoing,
}

struct Visitor {
    stream: TcpStream,
    stage: Stage,
    /// Bytes of the answer that came; of a head, its last four.
    come: usize,
    end: [u8; 4],
}

/// What a connection says, and what it waits for.
pub(crate) struct Visit {
    /// The opening handshake; empty for none.
    pub(crate) upgrade: Vec<u8>,
    /// The message, framed.
    pub(crate) message: Vec<u8>,
    /// How long its echo is.
    pub(crate) echo_bytes: usize,
}

/// Visits for so long; returns how many were completed.
pub(crate) fn run(address: SocketAddr, visit: &Visit, span: Duration) -> io::Result<u64> {
    let until = Until::after(span);
    let mut poll = Poll::new()?;
    let mut visitors: Vec<Option<Visitor>> = Vec::new();
    for place in 0..AT_ONCE {
        visitors.push(Some(begin(address, &poll, place)?));
    }
    let (mut count, mut open) = (0, AT_ONCE);
    let mut buffer = vec![0; 16 * 1024];
    while open > 0 {
        poll.wait()?;
        for place in poll.ready() {
            let Some(visitor) = &mut visitors[place] else { continue };
            if !advance(visitor, visit, &mut buffer)? {
                continue;
            }
            // Closed here: the end of the stream is what the server sees next.
            visitors[place] = None;
            count += 1;
            if until.goes_on() {
                visitors[place] = Some(begin(address, &poll, place)?);
            } else {
                open -= 1;
            }
        }
    }
    Ok(count)
}

fn begin(address: SocketAddr, poll: &Poll, place: usize) -> io::Result<Visitor> {
    let socket = connect_now(address)?;
    poll.add(&socket, place, true)?;
    let stream = TcpStream::from(socket);
    Ok(Visitor { stream, stage: Stage::Connecting, come: 0, end: [0; 4] })
}

/// Goes on with a visit; whether it is complete.
fn advance(visitor: &mut Visitor, visit: &Visit, buffer: &mut [u8]) -> io::Result<bool> {
    loop {
        match visitor.stage {
            Stage::Connecting => {
                let first = if visit.upgrade.is_empty() { &visit.message } else { &visit.upgrade };
                match (&visitor.stream).write(first) {
                    Ok(taken) if taken == first.len() => {}
                    Ok(_) => return Err(io::ErrorKind::WriteZero.into()),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                }
                let upgrading = !visit.upgrade.is_empty();
                visitor.stage = if upgrading { Stage::Upgrading } else { Stage::Echoing };
            }
            Stage::Upgrading => {
                let end = &mut visitor.end;
                drain(&visitor.stream, buffer, |bytes| {
                    for &byte in &bytes[bytes.len().saturating_sub(4)..] {
                        *end = [end[1], end[2], end[3], byte];
                    }
                })?;
                if *end != *b"\r\n\r\n" {
                    return Ok(false);
                }
                (&visitor.stream).write_all(&visit.message)?;
                visitor.stage = Stage::Echoing;
                return Ok(false);
            }
            Stage::Echoing => {
                let come = &mut visitor.come;
                drain(&visitor.stream, buffer, |bytes| *come += bytes.len())?;
                return Ok(*come >= visit.echo_bytes);
            }
        }
    }
}
