//! SIGTERM and SIGINT as bytes in a pipe that loop 0 polls: no thread, no handler of our own.
//!
//! SIGXFSZ is caught too, and only so that the write that caused it fails instead of the process.
//!
//! Limit: after a server with signals has ended the process ignores them, because the default
//! action is not put back.

use std::io::{self, Read};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use signal_hook::low_level::{pipe, unregister};

/// The reading end; dropping it gives the signals up.
#[derive(Debug)]
pub(crate) struct Signals {
    pipe: UnixStream,
    ids: Vec<SigId>,
}

impl Signals {
    pub(crate) fn install(registry: &Registry, token: Token) -> io::Result<Self> {
        let (reader, writer) = StdUnixStream::pair()?;
        reader.set_nonblocking(true)?;
        let mut this = Self { pipe: UnixStream::from_std(reader), ids: Vec::new() };
        for signal in [SIGTERM, SIGINT] {
            this.ids.push(pipe::register(signal, writer.try_clone()?)?);
        }
        // A write over RLIMIT_FSIZE is an error to whoever wrote, not the end of everybody.
        this.ids.push(flag::register(SIGXFSZ, Arc::default())?);
        registry.register(&mut this.pipe, token, Interest::READABLE)?;
        Ok(this)
    }

    /// How many signals came since it was asked last.
    pub(super) fn take(&mut self) -> usize {
        let mut bytes = [0; 64];
        self.pipe.read(&mut bytes).unwrap_or(0)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            unregister(id);
        }
    }
}
