//! Section 7.1.1: `server_no_context_takeover` and `client_no_context_takeover`.

use super::*;

const BOTH: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

#[test]
fn s7_1_1_1_the_server_forgets_when_it_is_asked_to() {
    let offer = "permessage-deflate; server_no_context_takeover";
    assert_eq!(answer(&Settings::TAKEOVER, offer).as_deref(), Some(offer));
    let (agreed, _) = Settings::TAKEOVER.accept(&offers(offer)).unwrap();
    assert_eq!((agreed.server.takeover, agreed.client.takeover), (false, true));
}

#[test]
fn s7_1_1_1_the_server_may_forget_without_being_asked() {
    assert_eq!(answer(&Settings::ALONE, "permessage-deflate").as_deref(), Some(BOTH));
}

#[test]
fn s7_1_1_1_a_client_that_asked_for_it_wants_it() {
    let forgetful = Settings { server: Direction::ALONE, ..Settings::TAKEOVER };
    let offer = forgetful.offer();
    let expected = "permessage-deflate; server_no_context_takeover; client_max_window_bits";
    assert_eq!(offer, expected);
    assert!(forgetful.agree(&offers("permessage-deflate")).is_err());
    let answer = "permessage-deflate; server_no_context_takeover";
    assert!(forgetful.agree(&offers(answer)).is_ok());
}

#[test]
fn s7_1_1_2_the_client_forgets_when_told_to() {
    let answer = "permessage-deflate; client_no_context_takeover";
    let agreed = Settings::TAKEOVER.agree(&offers(answer)).unwrap().unwrap();
    assert_eq!((agreed.server.takeover, agreed.client.takeover), (true, false));
    // What it said it would do it does, whether it is answered or not.
    let forgetful = Settings { client: Direction::ALONE, ..Settings::TAKEOVER };
    let agreed = forgetful.agree(&offers("permessage-deflate")).unwrap().unwrap();
    assert!(!agreed.client.takeover);
    let offer = "permessage-deflate; client_no_context_takeover";
    let (agreed, _) = Settings::TAKEOVER.accept(&offers(offer)).unwrap();
    assert!(!agreed.client.takeover);
}

/// Messages of `sender`, which compresses as `direction` says.
fn sent(direction: Direction, role: Role, texts: &[&[u8]]) -> Vec<Vec<u8>> {
    let settings = Settings { level: 6, ..Settings::TAKEOVER };
    let inflater = SharedInflater::default();
    let mut deflate = Deflate::new(both(direction), role, &settings, inflater);
    let one = |text: &&[u8]| {
        let mut out = Vec::new();
        assert!(deflate.encode(text, &mut out));
        out
    };
    texts.iter().map(one).collect()
}

#[test]
fn s7_1_1_with_takeover_a_repetition_is_a_reference_and_without_it_is_not() {
    let message = text(500);
    let texts = [&message[..]; 3];
    for role in [Role::Client, Role::Server] {
        let other = if role == Role::Client { Role::Server } else { Role::Client };
        let frame = if role == Role::Client { masked } else { bare };
        let taken = sent(Direction::DEFAULT, role, &texts);
        assert!(taken[1].len() < 20 && taken[0].len() > 100, "{:?}", taken[1]);
        let alone = sent(Direction::ALONE, role, &texts);
        assert!(alone[0] == alone[1] && alone[1] == alone[2]);
        for (direction, payloads) in [(Direction::DEFAULT, &taken), (Direction::ALONE, &alone)] {
            let wire: Vec<u8> = payloads.iter().flat_map(|payload| frame(0xc1, payload)).collect();
            assert_eq!(messages(read(other, both(direction), &wire)), texts);
        }
        // Whoever agreed not to refer back, and does, is not understood.
        let wire: Vec<u8> = taken.iter().flat_map(|payload| frame(0xc1, payload)).collect();
        let trace = read(other, both(Direction::ALONE), &wire);
        assert_eq!((trace.events.len(), trace.error), (1, Some(Error::InvalidExtensionData)));
    }
}

#[test]
fn s7_1_1_only_compressed_messages_are_referred_back_to() {
    let message = text(500);
    let payloads = sent(Direction::DEFAULT, Role::Client, &[&message, &message]);
    let between = noise(40_000);
    let wire = [masked(0xc1, &payloads[0]), masked(0x82, &between), masked(0xc1, &payloads[1])];
    let expected = [&message[..], &between, &message];
    assert_eq!(messages(read(Role::Server, both(Direction::DEFAULT), &wire.concat())), expected);
}

#[test]
fn s7_1_1_a_reference_reaches_a_whole_window_back_over_many_messages() {
    // Repetitions 30,000 bytes apart, so that both the window and what is kept of it turn over.
    let noise = noise(120_000);
    let mut texts: Vec<&[u8]> = noise.chunks(1_000).collect();
    for at in 0..texts.len() {
        texts[at] = if at % 30 == 0 { texts[0] } else { texts[at] };
    }
    let payloads = sent(Direction::DEFAULT, Role::Client, &texts);
    assert!(payloads.iter().step_by(30).skip(1).all(|payload| payload.len() < 100));
    let wire: Vec<u8> = payloads.iter().flat_map(|payload| masked(0xc2, payload)).collect();
    let trace = read_cut(Role::Server, both(Direction::DEFAULT), LIMITS, &wire, Some(70_001));
    assert_eq!(messages(trace), texts);
}
