//! SIGTERM and SIGINT as bytes in a pipe that loop 0 polls: no thread, no handler of our own. SIGHUP
//! in another, where there is something to read again; else it ends the process as it always did.
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
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use signal_hook::low_level::{pipe, unregister};

/// The reading end; dropping it gives the signals up.
#[derive(Debug)]
pub(crate) struct Signals {
    pipe: UnixStream,
    hang_up: Option<UnixStream>,
    ids: Vec<SigId>,
}

impl Signals {
    pub(crate) fn install(registry: &Registry, token: Token, hang_up: bool) -> io::Result<Self> {
        let (pipe, writer) = pair()?;
        let mut this = Self { pipe, hang_up: None, ids: Vec::new() };
        if hang_up {
            let (mut pipe, writer) = pair()?;
            this.ids.push(pipe::register(SIGHUP, writer)?);
            registry.register(&mut pipe, token, Interest::READABLE)?;
            this.hang_up = Some(pipe);
        }
        for signal in [SIGTERM, SIGINT] {
            this.ids.push(pipe::register(signal, writer.try_clone()?)?);
        }
        // A write over RLIMIT_FSIZE is an error to whoever wrote, not the end of everybody.
        this.ids.push(flag::register(SIGXFSZ, Arc::default())?);
        registry.register(&mut this.pipe, token, Interest::READABLE)?;
        Ok(this)
    }

    /// How many signals to end came since it was asked last, and whether one to read again did.
    pub(super) fn take(&mut self) -> (usize, bool) {
        let mut bytes = [0; 64];
        let hung_up = self.hang_up.as_mut().is_some_and(|pipe| pipe.read(&mut bytes).is_ok());
        (self.pipe.read(&mut bytes).unwrap_or(0), hung_up)
    }
}

fn pair() -> io::Result<(UnixStream, StdUnixStream)> {
    let (reader, writer) = StdUnixStream::pair()?;
    reader.set_nonblocking(true)?;
    Ok((UnixStream::from_std(reader), writer))
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            unregister(id);
        }
    }
}
