//! Writing: one system call per connection and visit.
//!
//! Up to 16 KiB are copied together and go by one `write`, because a vector of many small parts
//! costs the kernel more than the copy; above that `writev`, 64 parts at most. When the kernel takes
//! less than it was offered, the connection waits for its edge. When it takes all and more is
//! queued, the connection goes to the end of the line.

use std::io::{self, IoSlice};

use super::connection::Stream;
use super::event_loop::EventLoop;
use crate::base::failpoint::{self, Point};
use crate::base::id::ConnectionId;
use crate::engine::Outputs;
use crate::handler::Handler;

/// What is copied together at most.
pub(super) const SCRATCH_BYTES: usize = 16 * 1024;
const PARTS_MAX: usize = 64;

impl<H: Handler> EventLoop<H> {
    /// Writes what is queued, everywhere, as far as the kernel takes it.
    pub(super) fn flush(&mut self) {
        let mut out = std::mem::take(&mut self.out);
        while let Some(slot) = self.dirty.pop() {
            let Some(Some(connection)) = self.connections.get(slot as usize) else { continue };
            let id = connection.id;
            if !self.send_only(id, &mut out) {
                self.send(id, &[], &mut out);
                self.shut(id);
            }
            failpoint::hit(Point::AfterFlush);
            self.carry_out(&mut out);
        }
        self.out = out;
    }

    /// Writes a queue of one entry, which is what a broadcast leaves on each. False, with nothing
    /// done, when it takes more than that.
    fn send_only(&mut self, id: ConnectionId, out: &mut Outputs<H>) -> bool {
        let Some(Some(connection)) = self.connections.get_mut(id.slot as usize) else {
            return false;
        };
        if connection.blocked || connection.shutting || connection.stream.is_special() {
            return false;
        }
        let stream = &connection.stream;
        let offered = self.engine.offer(self.now, id, |only| retried(|| stream.write(only)));
        match offered {
            None => return false,
            Some((offered, Ok(taken))) => {
                self.sent += taken;
                connection.blocked = taken < offered;
            }
            Some((_, Err(error))) if error.kind() == io::ErrorKind::WouldBlock => {
                connection.blocked = true;
            }
            Some((_, Err(_))) => {
                self.lose(id, out);
                return true;
            }
        }
        if connection.blocked {
            self.metrics.blocked.add(1);
        }
        true
    }

    /// Closes our side when that was asked for and everything is sent.
    fn shut(&mut self, id: ConnectionId) {
        if self.connection(id).is_none_or(|connection| !connection.shutting) {
            return;
        }
        let queued = self.engine.queued_bytes(id);
        if let Some(connection) = self.connection(id)
            && queued == 0
        {
            if connection.stream.is_secure() && !self.said_farewell(id) {
                return;
            }
            let Some(connection) = self.connection(id) else { return };
            connection.shutting = false;
            // Fails when the peer is gone already, which its edge will say.
            let _ = connection.stream.shutdown_write();
        }
    }

    /// Writes what is lent, then what is queued.
    pub(super) fn send(&mut self, id: ConnectionId, lent: &[u8], out: &mut Outputs<H>) {
        if self.send_lent(id, lent) {
            return;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        self.send_with(&mut scratch, id, lent, out);
        self.scratch = scratch;
    }

    /// Writes what is lent when nothing else is queued. False, with nothing done, when there is
    /// something, or the kernel takes nothing.
    fn send_lent(&mut self, id: ConnectionId, lent: &[u8]) -> bool {
        let Some(Some(connection)) = self.connections.get(id.slot as usize) else { return false };
        let common = connection.id == id && !connection.blocked && !connection.stream.is_special();
        if !common || lent.is_empty() || self.engine.queued_bytes(id) > 0 {
            return false;
        }
        match connection.stream.write(lent) {
            Ok(taken) if taken == lent.len() => self.sent += taken,
            Ok(taken) => {
                self.sent += taken;
                self.metrics.blocked.add(1);
                self.engine.refused(id, &lent[taken..]);
                if let Some(connection) = self.connection(id) {
                    connection.blocked = true;
                }
            }
            // Whatever it is, the next write says it again.
            Err(_) => return false,
        }
        true
    }

    fn send_with(
        &mut self,
        scratch: &mut Vec<u8>,
        id: ConnectionId,
        lent: &[u8],
        out: &mut Outputs<H>,
    ) {
        let queued = self.engine.queued_bytes(id);
        let Some(Some(connection)) = self.connections.get_mut(id.slot as usize) else { return };
        if connection.id != id || lent.len() + queued == 0 {
            return;
        }
        if connection.stream.is_secure() {
            return self.send_secure(scratch, id, lent, out);
        }
        let (offered, written) = if connection.blocked {
            (usize::MAX, Ok(0))
        } else if queued == 0 {
            (lent.len(), retried(|| connection.stream.write(lent)))
        } else {
            let parts = std::iter::once(lent).chain(self.engine.queued(id));
            write_parts(&connection.stream, scratch, parts)
        };
        let taken = match written {
            Ok(taken) => taken,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => return self.lose(id, out),
        };
        let blocked = taken < offered;
        if blocked && !connection.blocked {
            self.metrics.blocked.add(1);
        }
        connection.blocked = blocked;
        self.sent += taken;
        let now = self.now;
        let rest = lent.get(taken..).unwrap_or_default();
        if !rest.is_empty() {
            self.engine.refused(id, rest);
        }
        let from_queue = taken.saturating_sub(lent.len());
        if from_queue > 0 && self.guarded(|engine| engine.sent(now, id, from_queue, out)).is_none()
        {
            return self.lose(id, out);
        }
        if !blocked && self.engine.queued_bytes(id) > 0 {
            self.dirty.push(id.slot);
        }
    }
}

/// Writes the parts, or the first of them, in one call. Returns how many bytes were offered, and
/// how many were taken.
fn write_parts<'a>(
    stream: &Stream,
    scratch: &mut Vec<u8>,
    parts: impl Iterator<Item = &'a [u8]>,
) -> (usize, io::Result<usize>) {
    let mut parts = parts.filter(|part| !part.is_empty());
    let mut slices = [IoSlice::new(&[]); PARTS_MAX];
    let (mut count, mut bytes) = (0, 0);
    for (slice, part) in slices.iter_mut().zip(parts.by_ref()) {
        *slice = IoSlice::new(part);
        count += 1;
        bytes += part.len();
    }
    let slices = &slices[..count];
    if let [only] = slices {
        return (bytes, retried(|| stream.write(only)));
    }
    if bytes > SCRATCH_BYTES {
        return (bytes, retried(|| stream.write_vectored(slices)));
    }
    scratch.clear();
    slices.iter().for_each(|slice| scratch.extend_from_slice(slice));
    // 64 small parts leave room for more.
    for part in parts {
        if scratch.len() + part.len() > SCRATCH_BYTES {
            break;
        }
        scratch.extend_from_slice(part);
    }
    (scratch.len(), retried(|| stream.write(scratch)))
}

/// Does it again when a signal came between.
pub(super) fn retried(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_small_is_copied_and_what_is_large_is_not() {
        let cases: [(&[usize], usize, usize); 6] = [
            (&[5], 5, 0),
            (&[0, 5, 0], 5, 0),
            (&[3, 4, 5], 12, 12),
            (&[16_000, 384], SCRATCH_BYTES, SCRATCH_BYTES),
            (&[16_000, 385], SCRATCH_BYTES + 1, 0),
            (&[10; 200], 2000, 2000),
        ];
        for (lengths, offered, copied) in cases {
            let (mine, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
            mine.set_nonblocking(true).unwrap();
            let stream = Stream::Unix(mio::net::UnixStream::from_std(mine));
            let parts: Vec<_> =
                lengths.iter().enumerate().map(|(at, length)| vec![at as u8; *length]).collect();
            let mut scratch = Vec::new();
            let result = write_parts(&stream, &mut scratch, parts.iter().map(Vec::as_slice));
            assert_eq!((result.0, result.1.unwrap()), (offered, offered), "{lengths:?}");
            assert_eq!(scratch.len(), copied, "{lengths:?}");
            drop(stream);
            let mut came = Vec::new();
            (&theirs).read_to_end(&mut came).unwrap();
            assert_eq!(came, parts.concat(), "{lengths:?}");
        }
    }

    #[test]
    fn many_large_parts_go_in_pieces() {
        let (mine, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        mine.set_nonblocking(true).unwrap();
        let stream = Stream::Unix(mio::net::UnixStream::from_std(mine));
        let part = vec![7; 1024];
        let parts = || std::iter::repeat_n(part.as_slice(), 2000);
        let (offered, taken) = write_parts(&stream, &mut Vec::new(), parts());
        assert_eq!(offered, PARTS_MAX * part.len());
        assert!(taken.is_ok());
        while write_parts(&stream, &mut Vec::new(), parts()).1.is_ok() {}
        let full = write_parts(&stream, &mut Vec::new(), parts()).1.unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    }
}
