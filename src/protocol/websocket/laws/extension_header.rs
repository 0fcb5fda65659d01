//! What holds for `Sec-WebSocket-Extensions`, read and agreed on; called by tests and by the target
//! `extension_header`.

use super::super::deflate::{Agreed, Direction, NAME, Settings, WindowBits};
use super::super::handshake::extensions::{OFFERS_MAX, Offer, PARAMS_MAX, Param, parse};
use super::super::handshake::is_token;

/// What is read is written and read again as it was; an offer is kept as the client wrote it or
/// declined, never bent; two ends of ours agree on the same terms.
///
/// Input: an octet each for what the two ends are willing to do, then a value of the header a line.
///
/// # Panics
///
/// When a law is broken.
pub fn extension_header(data: &[u8]) {
    law(data, |settings, offers| settings.accept(offers));
}

/// How the law answers offers: [`Settings::accept`], or something planted to see the law fail.
type Answer = fn(&Settings, &[Offer<'_>]) -> Option<(Agreed, String)>;

fn law(data: &[u8], answer: Answer) {
    let [a, b, c, d, text @ ..] = data else { return };
    let [ours, theirs] = [settings(*a, *b), settings(*c, *d)];
    meet(&ours, &theirs, answer);
    let Ok(offers) = parse(text.split(|byte| *byte == b'\n')) else { return };
    assert!(offers.len() <= OFFERS_MAX, "more offers than allowed");
    read_again(&offers);
    match answer(&ours, &offers) {
        Some((agreed, value)) => kept(&ours, &offers, agreed, &value),
        None => {
            let fits = |offer: &Offer<'_>| Terms::of(offer).is_some_and(|terms| terms.fits(&ours));
            assert!(!offers.iter().any(fits), "an offer that could be kept was declined");
        }
    }
    // As a client that asked for its own terms, whatever a server answers.
    if let Ok(Some(agreed)) = ours.agree(&offers) {
        assert!(agreed.client.window <= ours.client.window, "more than was offered");
        assert!(agreed.server.window <= ours.server.window, "more than was offered");
        assert!(ours.client.takeover || !agreed.client.takeover);
        assert!(ours.server.takeover || !agreed.server.takeover);
    }
}

/// What an end is willing to do: a window in the low bits, takeover above them.
fn settings(server: u8, client: u8) -> Settings {
    let direction = |octet: u8| Direction {
        takeover: octet & 8 != 0,
        window: WindowBits::new(8 | (octet & 7)).unwrap_or_default(),
    };
    Settings { server: direction(server), client: direction(client), ..Settings::ALONE }
}

/// Our client offers, our server answers: both have the same terms, or none have any.
fn meet(server: &Settings, client: &Settings, answer: Answer) {
    let offer = client.offer();
    let offers = parse(std::iter::once(offer.as_bytes())).unwrap_or_default();
    assert_eq!(offers.len(), 1, "an offer is one: {offer}");
    let Some((agreed, value)) = answer(server, &offers) else {
        let window = server.server.window.min(client.server.window);
        assert!(!window.can_compress(), "our own offer is declined: {offer}");
        return;
    };
    let answers = parse(std::iter::once(value.as_bytes())).unwrap_or_default();
    assert_eq!(client.agree(&answers), Ok(Some(agreed)), "{offer} is answered {value}");
}

fn read_again(offers: &[Offer<'_>]) {
    let mut text = String::new();
    for offer in offers {
        assert!(is_token(offer.name) && offer.params.len() <= PARAMS_MAX);
        text.push_str(offer.name);
        for Param { name, value } in &offer.params {
            assert!(is_token(name) && value.as_deref().is_none_or(is_token), "no token");
            text.push_str("; ");
            text.push_str(name);
            if let Some(value) = value {
                text.push('=');
                text.push_str(value);
            }
        }
        text.push_str(", ");
    }
    let again = parse(std::iter::once(text.as_bytes()));
    assert!(again.as_deref() == Ok(offers), "what was read reads the same: {text}");
}

/// The answer names what the first offer that can be kept asked for, and nothing else.
fn kept(ours: &Settings, offers: &[Offer<'_>], agreed: Agreed, value: &str) {
    let answers = parse(std::iter::once(value.as_bytes())).unwrap_or_default();
    let said = match &answers[..] {
        [answer] => Terms::of(answer),
        _ => None,
    };
    let asked = offers.iter().filter_map(Terms::of).find(|terms| terms.fits(ours));
    let (Some(said), Some(asked)) = (said, asked) else {
        return assert!(value.is_empty(), "an answer without an offer, or no answer: {value}");
    };
    assert!(said.server_alone || !asked.server_alone, "the server has to start anew");
    assert_eq!(said.server_alone, !agreed.server.takeover);
    assert_eq!(said.client_alone, !agreed.client.takeover);
    let window = |bits: Option<u8>| bits.unwrap_or(15);
    assert_eq!(window(said.server_bits), agreed.server.window.get(), "what is said holds");
    assert!(agreed.server.window.get() <= window(asked.server_bits), "a window was widened");
    assert!(asked.server_bits.is_none() || said.server_bits.is_some(), "an answer is asked for");
    match (asked.client_bits, said.client_bits) {
        (None, said) => {
            assert_eq!(said, None, "the client did not say that it can");
            assert_eq!(agreed.client.window, WindowBits::MAX, "the client may use all of it");
        }
        (Some(_), Some(Some(said))) => assert_eq!(said, agreed.client.window.get()),
        (Some(hint), None) => assert_eq!(window(hint), agreed.client.window.get()),
        (Some(_), Some(None)) => assert!(value.is_empty(), "no value in an answer: {value}"),
    }
}

/// permessage-deflate's parameters, read by the letter of RFC 7692 §7.1.
struct Terms {
    server_alone: bool,
    client_alone: bool,
    server_bits: Option<u8>,
    client_bits: Option<Option<u8>>,
}

impl Terms {
    /// None of another extension, and when a parameter is unknown, comes twice, or has a value that
    /// is not one of eight.
    fn of(offer: &Offer<'_>) -> Option<Self> {
        const BITS: [&str; 8] = ["8", "9", "10", "11", "12", "13", "14", "15"];
        const NAMES: [&str; 4] = [
            "server_no_context_takeover",
            "client_no_context_takeover",
            "server_max_window_bits",
            "client_max_window_bits",
        ];
        let mut values: [Option<Option<u8>>; 4] = [None; 4];
        for param in &offer.params {
            let place = NAMES.iter().position(|name| *name == param.name)?;
            let value = match param.value.as_deref() {
                None => None,
                Some(text) => Some((8..=15).zip(BITS).find(|(_, bits)| *bits == text)?.0),
            };
            if values.get_mut(place)?.replace(value).is_some() {
                return None;
            }
        }
        let [server, client, server_bits, client_bits] = values;
        let good = offer.name == NAME
            && server.flatten().is_none()
            && client.flatten().is_none()
            && server_bits != Some(None);
        good.then_some(Self {
            server_alone: server.is_some(),
            client_alone: client.is_some(),
            server_bits: server_bits.flatten(),
            client_bits,
        })
    }

    /// Whether a server that is willing to do `ours` can keep it: with a window that zlib has.
    fn fits(&self, ours: &Settings) -> bool {
        self.server_bits.unwrap_or(15).min(ours.server.window.get()) > 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: &str, answer: Answer) {
        law(format!("\x0f\x0f\x0f\x0f{value}").as_bytes(), answer);
    }

    #[test]
    fn every_pair_of_ends_meets() {
        for server in 0..16 {
            for client in 0..16 {
                for more in [0, 7, 9, 15] {
                    extension_header(&[server, more, client, 0x0f]);
                    extension_header(&[0x0f, server, more, client]);
                }
            }
        }
    }

    /// Planted: takes 16 for 15.
    fn bending(settings: &Settings, offers: &[Offer<'_>]) -> Option<(Agreed, String)> {
        let mut offers = offers.to_vec();
        for param in offers.iter_mut().flat_map(|offer| &mut offer.params) {
            param.value.take_if(|value| *value == "16");
        }
        offers.iter_mut().for_each(|offer| {
            offer
                .params
                .retain(|param| param.name != "server_max_window_bits" || param.value.is_some());
        });
        settings.accept(&offers)
    }

    #[test]
    #[should_panic(expected = "an answer without an offer")]
    fn a_server_that_bends_an_offer_breaks_the_law() {
        with("permessage-deflate; server_max_window_bits=16", bending);
    }

    #[test]
    #[should_panic(expected = "was declined")]
    fn a_server_that_declines_without_need_breaks_the_law() {
        // Our own client's offer, which names the window of the client, is still answered.
        with("permessage-deflate", |settings, offers| {
            let named = offers.iter().any(|offer| !offer.params.is_empty());
            named.then(|| settings.accept(offers)).flatten()
        });
    }
}
