//! One connection's cryptography: rustls' `ServerConnection` behind our [`Session`].
//!
//! rustls is given memory, never a socket. Law: `process_new_packets` follows every `read_tls`
//! (CVE-2020-35875), so what is decrypted never waits in rustls, and neither does what it wants to
//! send: both are taken out before this returns. `complete_io` is never called (CVE-2024-32650).

use std::io::{BufRead, Write};

use rustls::{AlertDescription, Error, ServerConnection};

use crate::net::secure::{Broken, Failure, Session};

#[derive(Debug)]
pub(super) struct Rustls(ServerConnection);

impl Rustls {
    /// `bytes_max` is what rustls may buffer on its way out.
    pub(super) fn new(mut connection: ServerConnection, bytes_max: usize) -> Self {
        connection.set_buffer_limit(Some(bytes_max));
        Self(connection)
    }

    fn take_plain(&mut self, plain: &mut Vec<u8>) {
        let mut reader = self.0.reader();
        // An error here is the end of the stream or the end of what there is.
        while let Ok(bytes) = reader.fill_buf() {
            let taken = bytes.len();
            if taken == 0 {
                break;
            }
            plain.extend_from_slice(bytes);
            reader.consume(taken);
        }
    }

    fn take_sealed(&mut self, out: &mut Vec<u8>) {
        while self.0.wants_write() {
            // Memory takes everything.
            if !self.0.write_tls(out).is_ok_and(|bytes| bytes > 0) {
                break;
            }
        }
    }

    fn feed(&mut self, mut sealed: &[u8], plain: &mut Vec<u8>) -> Result<bool, Failure> {
        while !sealed.is_empty() {
            match self.0.read_tls(&mut sealed) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    return Err(Failure { reason: Broken::Malformed, text: error.to_string() });
                }
            }
            let state = self.0.process_new_packets();
            self.take_plain(plain);
            match state {
                Ok(state) if state.peer_has_closed() => return Ok(true),
                Ok(_) => {}
                Err(error) => return Err(failure(&error)),
            }
        }
        Ok(false)
    }
}

impl Session for Rustls {
    fn open(
        &mut self,
        sealed: &[u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Failure> {
        let fed = self.feed(sealed, plain);
        self.take_sealed(out);
        fed
    }

    fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> usize {
        let taken = self.0.writer().write(plain).unwrap_or(0);
        self.take_sealed(out);
        taken
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        self.0.send_close_notify();
        self.take_sealed(out);
    }

    fn is_handshaking(&self) -> bool {
        self.0.is_handshaking()
    }
}

/// Whose fault it is.
fn failure(error: &Error) -> Failure {
    let reason = match error {
        Error::NoApplicationProtocol => Broken::Protocol,
        Error::PeerIncompatible(_) => Broken::NothingShared,
        Error::NoCertificatesPresented
        | Error::InvalidCertificate(_)
        | Error::UnsupportedNameType => Broken::Certificate,
        Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::DecryptError
        | Error::PeerSentOversizedRecord => Broken::Malformed,
        Error::AlertReceived(_) => Broken::Alert,
        Error::PeerMisbehaved(_) => Broken::Misbehaved,
        _ => Broken::Other,
    };
    let mut text = error.to_string();
    if let Error::AlertReceived(alert) = error
        && is_distrust(*alert)
    {
        text.push_str("; the client does not trust this server's certificate");
    }
    Failure { reason, text }
}

const fn is_distrust(alert: AlertDescription) -> bool {
    use AlertDescription as A;
    matches!(
        alert,
        A::UnknownCA
            | A::BadCertificate
            | A::CertificateUnknown
            | A::CertificateExpired
            | A::UnsupportedCertificate
    )
}
