//! What an open connection sends: RFC 6455 sections 5.5.2, 5.5.3 and 6.1. No transition is here.

use super::super::encoder;
use super::super::header::CONTROL_BYTES_MAX;
use super::super::opcode::Opcode;
use super::facts::SendError;
use super::{Connection, State};
use crate::base::rng::Rng;

impl Connection {
    /// Sends a text message.
    ///
    /// # Errors
    ///
    /// [`SendError::NotOpen`].
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError> {
        self.send_message(Opcode::Text, text.as_bytes())
    }

    /// Sends a binary message.
    ///
    /// # Errors
    ///
    /// [`SendError::NotOpen`].
    pub fn send_binary(&mut self, message: &[u8]) -> Result<(), SendError> {
        self.send_message(Opcode::Binary, message)
    }

    fn send_message(&mut self, opcode: Opcode, message: &[u8]) -> Result<(), SendError> {
        self.must_be_open()?;
        let mut encoded = Vec::new();
        let claimed = self.decoder.extension_mut().is_some_and(|e| e.encode(message, &mut encoded));
        self.frame(opcode, claimed, if claimed { &encoded } else { message });
        Ok(())
    }

    /// Sends a Ping; `payload` comes back in a Pong.
    ///
    /// # Errors
    ///
    /// [`SendError::NotOpen`]; [`SendError::ControlTooLong`] over 125 bytes.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.must_be_open()?;
        if payload.len() > CONTROL_BYTES_MAX {
            return Err(SendError::ControlTooLong);
        }
        self.frame(Opcode::Ping, false, payload);
        Ok(())
    }

    pub(super) fn must_be_open(&self) -> Result<(), SendError> {
        if self.state() == State::Open { Ok(()) } else { Err(SendError::NotOpen) }
    }

    pub(super) fn frame(&mut self, opcode: Opcode, rsv1: bool, payload: &[u8]) {
        let key = self.keys.as_mut().map(Rng::bytes);
        encoder::append(&mut self.output, opcode, rsv1, payload, key);
    }

    pub(super) fn answer_ping(&mut self) {
        if let Some(ping) = self.ping.take().filter(|_| self.close_sent.is_none()) {
            self.frame(Opcode::Pong, false, &ping);
        }
    }
}
