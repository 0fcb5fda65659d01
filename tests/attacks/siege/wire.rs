//! One connection of an attack, plain or over TLS, whose pieces are read one by one.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::arrival::Kernel;
use crate::peer::connect;

/// More than this is no answer; each read of less has its deadline.
const SAID_BYTES_MAX: usize = 1 << 24;

/// An attacker's end.
pub(crate) struct Wire {
    stream: TcpStream,
    tls: Option<ClientConnection>,
    /// Bytes that the kernel was given, records of TLS included.
    sent: u64,
    /// The server has closed, and hears no more.
    deaf: bool,
}

impl Wire {
    /// Connects; with a configuration of TLS, hands are shaken too.
    pub(crate) fn open(address: &str, tls: Option<&Arc<ClientConfig>>) -> Self {
        let stream = connect(address);
        // Whoever closes leaves nothing behind: ten thousand ports in TIME_WAIT are too many.
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a reset");
        let tls = tls.map(|config| {
            let name = ServerName::try_from("localhost").expect("a name");
            ClientConnection::new(Arc::clone(config), name).expect("a session")
        });
        let mut this = Self { stream, tls, sent: 0, deaf: false };
        this.shake_hands();
        this
    }

    fn shake_hands(&mut self) {
        loop {
            self.flush();
            let Some(tls) = self.tls.as_mut().filter(|tls| tls.is_handshaking()) else { return };
            match tls.read_tls(&mut self.stream) {
                Ok(count) => assert!(count > 0 && !self.deaf, "the server ends the handshake"),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("no handshake: {error}"),
            }
            tls.process_new_packets().expect("TLS");
        }
    }

    /// Gives the kernel what is encrypted.
    fn flush(&mut self) {
        while let Some(tls) = self.tls.as_mut().filter(|tls| tls.wants_write() && !self.deaf) {
            let given = tls.write_tls(&mut self.stream);
            self.given(given);
        }
    }

    /// What the kernel took, or why it did not.
    fn given(&mut self, count: std::io::Result<usize>) {
        match count.map_err(|error| (error.kind(), error)) {
            Ok(count) => self.sent += count as u64,
            Err((ErrorKind::ConnectionReset | ErrorKind::BrokenPipe, _)) => self.deaf = true,
            Err((ErrorKind::Interrupted, _)) => {}
            Err((_, error)) => panic!("not sent: {error}"),
        }
    }

    /// Sends a piece, over TLS in a record of its own; nothing, if the server has closed.
    pub(crate) fn send(&mut self, piece: &[u8]) {
        if self.deaf || piece.is_empty() {
            return;
        }
        if self.tls.is_none() {
            let given = self.stream.write_all(piece).map(|()| piece.len());
            return self.given(given);
        }
        // A session holds 64 KiB at most.
        for part in piece.chunks(1 << 14) {
            if let Some(tls) = self.tls.as_mut().filter(|_| !self.deaf) {
                tls.writer().write_all(part).expect("room");
                self.flush();
            }
        }
    }

    /// Waits until the server has read everything, or closed.
    pub(crate) fn settle(&self, kernel: &Kernel) {
        if !self.deaf {
            kernel.wait(&self.stream, self.sent);
        }
    }

    /// Says that nothing more comes; the server may have closed already.
    pub(crate) fn end(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        self.flush();
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Everything that comes until the server closes; a reset counts as the end.
    pub(crate) fn rest(&mut self) -> Result<Vec<u8>, String> {
        let mut said = Vec::new();
        let mut buffer = [0; 16384];
        loop {
            let read = match &mut self.tls {
                None => self.stream.read(&mut buffer),
                Some(tls) => tls.read_tls(&mut self.stream),
            };
            match read {
                Ok(0) => return Ok(said),
                Ok(count) if self.tls.is_none() => said.extend_from_slice(&buffer[..count]),
                Ok(_) => self.decrypt(&mut said)?,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(said),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("never closed, {error}")),
            }
            if said.len() > SAID_BYTES_MAX {
                return Err("never silent".to_owned());
            }
        }
    }

    fn decrypt(&mut self, said: &mut Vec<u8>) -> Result<(), String> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        let state = tls.process_new_packets().map_err(|error| format!("no TLS: {error}"))?;
        let mut plain = vec![0; state.plaintext_bytes_to_read()];
        tls.reader().read_exact(&mut plain).map_err(|error| error.to_string())?;
        said.extend_from_slice(&plain);
        Ok(())
    }
}
