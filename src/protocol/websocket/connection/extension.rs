//! What a connection does about permessage-deflate by itself: RFC 7692 section 5.

use super::super::deflate::{Agreed, Deflate, SharedInflater};
use super::super::handshake::client::{self, Handshake};
use super::super::handshake::extensions;
use super::{Config, Connection};

/// Writes a client's request, with an offer if there is one to make.
///
/// # Errors
///
/// The request cannot be written, or makes an offer of its own beside [`Config::deflate`].
pub(super) fn start(
    config: &Config,
    request: &client::Request<'_>,
    nonce: [u8; 16],
    output: &mut Vec<u8>,
) -> Result<Handshake, client::Error> {
    let Some(settings) = config.deflate else { return Handshake::start(request, nonce, output) };
    if request.extensions.is_some() {
        return Err(client::Error::Request("extensions"));
    }
    let offer = settings.offer();
    let request = client::Request { extensions: Some(&offer), ..*request };
    Handshake::start(&request, nonce, output)
}

impl Connection {
    /// Judges the answer to what `start` offered.
    ///
    /// # Errors
    ///
    /// The answer is none to that offer.
    pub(super) fn agree(&mut self, answer: Option<&str>) -> Result<(), client::Error> {
        let (Some(settings), Some(answer)) = (self.config.deflate, answer) else { return Ok(()) };
        let answers = extensions::parse(std::iter::once(answer.as_bytes()));
        let answers = answers.map_err(|extensions::Malformed| client::Error::Extensions)?;
        let agreed = settings.agree(&answers).map_err(|_| client::Error::Extensions)?;
        self.deflate(agreed);
        Ok(())
    }

    /// Compresses from now on, if that was agreed on.
    pub(super) fn deflate(&mut self, agreed: Option<Agreed>) {
        if let (Some(settings), Some(agreed)) = (self.config.deflate, agreed) {
            let inflater = SharedInflater::default();
            let deflate = Deflate::new(agreed, self.role(), &settings, inflater);
            self.set_extension(Box::new(deflate));
        }
    }
}
