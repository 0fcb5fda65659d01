//! Sections 5 and 7.1: which offers are accepted, which answers are.

use super::*;
use stentor::protocol::websocket::deflate::NotAgreed;

#[test]
fn s5_the_first_acceptable_offer_is_taken() {
    let takes = |offer: &str| answer(&Settings::TAKEOVER, offer);
    assert_eq!(takes("permessage-deflate").as_deref(), Some("permessage-deflate"));
    assert_eq!(takes("permessage-bzip2, x-webkit-deflate-frame"), None);
    assert_eq!(takes("foo, permessage-deflate").as_deref(), Some("permessage-deflate"));
    // Section 7.1.3's example of a client that would rather, and of one that falls back.
    let offer = "permessage-deflate; client_max_window_bits; server_max_window_bits=10";
    let expected = Some("permessage-deflate; server_max_window_bits=10");
    assert_eq!(takes(offer).as_deref(), expected);
    assert_eq!(takes(&format!("{offer}, permessage-deflate")).as_deref(), expected);
    // The first cannot be kept, the second can.
    let offer = "permessage-deflate; server_max_window_bits=8, permessage-deflate";
    assert_eq!(takes(offer).as_deref(), Some("permessage-deflate"));
}

#[test]
fn s7_1_an_offer_with_anything_wrong_is_declined() {
    for params in [
        "unknown",
        "unknown=1",
        "server_no_context_takeover=1",
        "client_no_context_takeover=true",
        "server_no_context_takeover; server_no_context_takeover",
        "client_no_context_takeover; client_no_context_takeover",
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=010",
        "server_max_window_bits=+9",
        "server_max_window_bits=9x",
        "server_max_window_bits=99999999999999999999",
        "server_max_window_bits=10; server_max_window_bits=10",
        "client_max_window_bits=0",
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=08",
        "client_max_window_bits=-9",
        "client_max_window_bits; client_max_window_bits",
        "client_max_window_bits; client_max_window_bits=10",
        "Server_Max_Window_Bits=10",
    ] {
        for settings in [Settings::ALONE, Settings::TAKEOVER] {
            let offer = format!("permessage-deflate; {params}");
            assert_eq!(answer(&settings, &offer), None, "{offer}");
            // What is wrong with one offer says nothing about the next.
            let offer = format!("{offer}, permessage-deflate; server_no_context_takeover");
            assert!(answer(&settings, &offer).is_some(), "{offer}");
        }
    }
}

#[test]
fn s7_1_quoted_values_are_values() {
    let quoted = "permessage-deflate; server_max_window_bits=\"1\\0\"";
    let expected = Some("permessage-deflate; server_max_window_bits=10");
    assert_eq!(answer(&Settings::TAKEOVER, quoted).as_deref(), expected);
}

#[test]
fn s7_1_a_client_takes_only_an_answer_to_its_offer() {
    let agree = |settings: &Settings, answer: &str| settings.agree(&offers(answer));
    for settings in [Settings::ALONE, Settings::TAKEOVER] {
        assert_eq!(agree(&settings, ""), Ok(None));
        for params in [
            "unknown",
            "server_no_context_takeover=1",
            "server_no_context_takeover; server_no_context_takeover",
            "server_max_window_bits",
            "server_max_window_bits=7",
            "server_max_window_bits=16",
            "client_max_window_bits",
            "client_max_window_bits=7",
            "client_max_window_bits=010",
        ] {
            let answer = format!("permessage-deflate; server_no_context_takeover; {params}");
            assert_eq!(agree(&settings, &answer), Err(NotAgreed), "{answer}");
        }
        let twice = "permessage-deflate; server_no_context_takeover, permessage-deflate";
        assert_eq!(agree(&settings, twice), Err(NotAgreed));
    }
}

/// Whatever a client may offer, our server's answer is one that our client takes, in the same terms.
#[test]
fn s5_both_ends_understand_the_answer_alike() {
    let directions = || {
        let windows = [8, 9, 12, 15].map(window);
        windows
            .into_iter()
            .flat_map(|window| [true, false].map(|takeover| Direction { takeover, window }))
    };
    let mut accepted = 0;
    for (server, client) in directions().flat_map(|s| directions().map(move |c| (s, c))) {
        let settings = Settings { server, client, ..Settings::TAKEOVER };
        let offer = settings.offer();
        for ours in directions().flat_map(|s| directions().map(move |c| (s, c))) {
            let (server, client) = ours;
            let server = Settings { server, client, ..Settings::TAKEOVER };
            let Some((theirs, answer)) = server.accept(&offers(&offer)) else {
                let narrow = settings.server.window.min(server.server.window);
                assert_eq!(narrow, WindowBits::MIN, "{offer}");
                continue;
            };
            let ours = settings.agree(&offers(&answer)).unwrap().unwrap();
            assert_eq!(ours, theirs, "{offer} / {answer}");
            accepted += 1;
        }
    }
    assert_eq!(accepted, 3 * 2 * 3 * 2 * 64);
}
