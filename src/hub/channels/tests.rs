//! Numbers, interest and history of channels at their home.

use super::*;
use crate::hub::policy::Policy;
use crate::protocol::frame::Draft;
use crate::protocol::websocket::Opcode;

const NOW: Duration = Duration::from_secs(1000);

fn named(name: &str) -> Channel {
    Channel::parse(name).expect("a good name")
}

const IDLE: Duration = Duration::from_secs(3600);
const BOUNDS: Bounds = Bounds { history_bytes: 1 << 20, idle: IDLE, idle_channels: 1000 };

fn channels(loops: usize) -> Channels {
    Channels::new(1, loops, Policies::default(), BOUNDS)
}

/// Publishes something; where it stands.
fn number(channels: &mut Channels, to: &Channel, now: Duration, rng: &mut Rng) -> Position {
    publish(channels, to, "x", now, rng)
}

fn publish(
    channels: &mut Channels,
    to: &Channel,
    text: &str,
    now: Duration,
    rng: &mut Rng,
) -> Position {
    let mut draft = Draft::new(Vec::new());
    draft.payload().extend_from_slice(text.as_bytes());
    let mut place = channels.place(to, now, rng);
    let position = place.position();
    place.publish(&mut draft.finish(Opcode::Text), None);
    position
}

fn since(position: &Position) -> Since {
    Since { offset: position.offset, epoch: (*position.epoch).into() }
}

fn texts(page: &Page) -> Vec<&str> {
    page.events.iter().map(|(_, frame)| std::str::from_utf8(frame.payload()).unwrap()).collect()
}

#[test]
fn who_listens_gets_what_was_missed_and_then_what_comes() {
    let (mut channels, mut rng) = (channels(2), Rng::new(1));
    let a = named("public:a");
    let first = publish(&mut channels, &a, "1", NOW, &mut rng);
    publish(&mut channels, &a, "2", NOW, &mut rng);
    let seen = since(&first);
    let (_, stands, page) = channels.listen(&a, LoopId(0), Some((&seen, 10)), NOW, &mut rng);
    let page = page.expect("a place was given");
    let stands = stands.expect("it is numbered here");
    assert_eq!((stands.offset, texts(&page), page.recovered), (2, vec!["2"], true));
    let other = Since { epoch: "another".into(), ..seen.clone() };
    let (_, _, page) = channels.listen(&a, LoopId(0), Some((&other, 10)), NOW, &mut rng);
    let page = page.expect("a place was given");
    assert_eq!((texts(&page), page.recovered), (vec!["1", "2"], false));
    let (stands, page) = channels.history(&a, None, 1, NOW, &mut rng);
    assert_eq!((stands.offset, texts(&page)), (2, vec!["2"]));
    let (stands, page) = channels.history(&named("public:b"), None, 1, NOW, &mut rng);
    assert_eq!((stands.offset, texts(&page).len()), (0, 0));
}

#[test]
fn a_stored_channel_stands_where_the_store_put_it_and_its_tail_is_here() {
    let log = Policies::new([("log".into(), Policy::OPEN.stored())]);
    let (mut channels, mut rng) = (Channels::new(1, 1, log, BOUNDS), Rng::new(1));
    let a = named("log:a");
    let seen = |offset| Since { offset, epoch: DURABLE_EPOCH.into() };
    let listen = |channels: &mut Channels, rng: &mut Rng, offset| {
        let since = seen(offset);
        let (_, stands, page) = channels.listen(&a, LoopId(0), Some((&since, 500)), NOW, rng);
        (stands.map(|stands| stands.offset), page.map(|page| page.events.len()))
    };
    assert_eq!(listen(&mut channels, &mut rng, 0), (None, None), "only the store knows");
    let mut stored = |channels: &mut Channels, offset| {
        let mut draft = Draft::new(Vec::new());
        draft.payload().extend_from_slice(b"x");
        let mut place = channels.place(&a, NOW, &mut rng);
        place.expect(offset);
        assert_eq!(place.position(), Position { offset, epoch: DURABLE_EPOCH.into() });
        place.publish(&mut draft.finish(Opcode::Text), None);
    };
    (7..=9).for_each(|offset| stored(&mut channels, offset));
    let mut rng = Rng::new(2);
    for (offset, page) in [(0, None), (5, None), (6, Some(3)), (9, Some(0)), (10, None)] {
        assert_eq!(listen(&mut channels, &mut rng, offset), (Some(9), page), "{offset}");
    }
    let mut rng = Rng::new(3);
    let room = Channel::Room(crate::base::id::Id(7));
    let (_, stands, page) = channels.listen(&room, LoopId(0), None, NOW, &mut rng);
    assert!(stands.is_none() && page.is_none(), "the log of a chat is the store's");
}

#[test]
fn what_is_over_goes_without_being_asked_for() {
    let (mut channels, mut rng) = (channels(1), Rng::new(1));
    let (a, b) = (named("public:a"), named("public:b"));
    publish(&mut channels, &a, "1", NOW, &mut rng);
    publish(&mut channels, &a, "2", NOW + Duration::from_secs(200), &mut rng);
    let kept = channels.history_bytes();
    assert!(kept > 0 && channels.due.len() == 1);
    number(&mut channels, &b, NOW + Duration::from_secs(299), &mut rng);
    let both = channels.history_bytes();
    number(&mut channels, &b, NOW + Duration::from_secs(301), &mut rng);
    assert!(channels.history_bytes() < both + kept, "the first is over");
    // Long after, not even the numbers are left.
    let later = NOW + Duration::from_secs(5000);
    let (stands, page) = channels.history(&b, None, 10, later, &mut rng);
    assert_eq!((stands.offset, page.events.len(), channels.history_bytes()), (0, 0, 0));
    assert_eq!((channels.len(), channels.due.len()), (1, 0));
}

#[test]
fn histories_have_a_bound_together() {
    let (mut channels, mut rng) = (channels(1), Rng::new(1));
    let text = "x".repeat(10_000);
    for number in 0..300 {
        let channel = named(&format!("public:{}", number % 30));
        publish(&mut channels, &channel, &text, NOW + Duration::from_secs(number), &mut rng);
        assert!(channels.history_bytes() <= 1 << 20);
    }
    assert!(channels.take_evicted() > 100 && channels.take_evicted() == 0);
    let (stands, page) = channels.history(&named("public:29"), None, 100, NOW, &mut rng);
    assert!(stands.offset == 10 && !page.events.is_empty(), "the newest is there");
    let bytes: usize = channels.homes.iter().map(|home| home.history.bytes()).sum();
    assert_eq!(channels.history_bytes(), bytes);
}

#[test]
fn offsets_count_and_an_epoch_lasts_as_long_as_the_numbering() {
    let (mut channels, mut rng) = (channels(2), Rng::new(1));
    let a = named("public:a");
    assert_eq!(channels.known(a.as_channel()), None);
    let first = number(&mut channels, &a, NOW, &mut rng);
    assert_eq!(channels.known(a.as_channel()), Some(a.clone()));
    let second = number(&mut channels, &a, NOW, &mut rng);
    assert_eq!((first.offset, second.offset), (1, 2));
    assert_eq!(first.epoch, second.epoch);
    let (_, stands, _) = channels.listen(&a, LoopId(1), None, NOW, &mut rng);
    assert_eq!(stands, Some(second));
    // While somebody listens it is not forgotten, afterwards it is.
    number(&mut channels, &named("public:b"), NOW + 2 * IDLE, &mut rng);
    assert_eq!(channels.len(), 2);
    channels.unlisten(&a, LoopId(1), 1, NOW + 2 * IDLE);
    let later = NOW + 4 * IDLE;
    let again = number(&mut channels, &named("public:c"), later, &mut rng);
    assert_eq!((channels.len(), again.offset), (1, 1));
    assert_ne!(number(&mut channels, &a, later, &mut rng).epoch, first.epoch);
}

#[test]
fn a_channel_that_is_only_published_to_is_idle_once() {
    let (mut channels, mut rng) = (channels(1), Rng::new(1));
    let a = named("public:a");
    for second in 0..1000 {
        number(&mut channels, &a, NOW + Duration::from_secs(second), &mut rng);
        assert_eq!(channels.idle.len(), 1);
    }
    // In use all the time, it has kept its numbers; left alone, it goes in its time.
    let last = NOW + Duration::from_secs(1000);
    assert_eq!(number(&mut channels, &a, last, &mut rng).offset, 1001);
    channels.tidy(last + IDLE - Duration::from_nanos(1));
    assert_eq!((channels.len(), channels.next_idle()), (1, Some(last + IDLE)));
    channels.tidy(last + IDLE);
    assert_eq!((channels.len(), channels.take_freed()), (0, Freed { idle: 1, crowded: 0 }));
    assert!(channels.homes.is_empty() && channels.next_idle().is_none(), "nothing is left");
}

#[test]
fn who_leaves_last_is_the_last_use_and_who_listens_keeps_it() {
    let (mut channels, mut rng) = (channels(2), Rng::new(1));
    let room = Channel::Room(crate::base::id::Id(7));
    let generations = channels.listen_all(&room, NOW, &mut rng);
    channels.unlisten(&room, LoopId(0), generations[0], NOW);
    channels.tidy(NOW + 2 * IDLE);
    assert_eq!(channels.len(), 1, "somebody listens");
    let left = NOW + 3 * IDLE;
    channels.unlisten(&room, LoopId(1), generations[1], left);
    channels.tidy(left + IDLE / 2);
    assert_eq!(channels.len(), 1);
    let (back, ..) = channels.listen(&room, LoopId(0), None, left + IDLE / 2, &mut rng);
    channels.tidy(left + 2 * IDLE);
    assert_eq!(channels.len(), 1, "somebody has come back");
    channels.unlisten(&room, LoopId(0), back, left + 2 * IDLE);
    channels.tidy(left + 3 * IDLE);
    assert_eq!((channels.len(), channels.take_freed().idle), (0, 1));
}

#[test]
fn of_too_many_those_go_that_were_used_longest_ago() {
    let bounds = Bounds { idle_channels: 3, ..BOUNDS };
    let (mut channels, mut rng) = (Channels::new(1, 1, Policies::default(), bounds), Rng::new(1));
    let name = |n: u64| named(&format!("public:{n}"));
    let at = |second| NOW + Duration::from_secs(second);
    (0..3).for_each(|n| drop(number(&mut channels, &name(n), at(n), &mut rng)));
    let (mine, ..) = channels.listen(&name(9), LoopId(0), None, at(3), &mut rng);
    assert_eq!(channels.len(), 4, "who has a listener does not count");
    number(&mut channels, &name(0), at(4), &mut rng);
    number(&mut channels, &name(3), at(5), &mut rng);
    assert_eq!(channels.known(name(1).as_channel()), None, "the one used longest ago");
    channels.unlisten(&name(9), LoopId(0), mine, at(6));
    assert_eq!(channels.known(name(2).as_channel()), None);
    assert_eq!(channels.take_freed(), Freed { idle: 0, crowded: 2 });
    assert_eq!(number(&mut channels, &name(0), at(7), &mut rng).offset, 3);
    // Its history has gone with it, and its number is used again when the queue of ends lets it go.
    (10..500).for_each(|n| drop(number(&mut channels, &name(n), at(n), &mut rng)));
    assert_eq!((channels.len(), channels.idle.len()), (3, 3));
    assert!(channels.homes.len() <= 320 && channels.due.len() <= 320, "{}", channels.homes.len());
    let bytes: usize = channels.homes.iter().map(|home| home.history.bytes()).sum();
    assert_eq!(channels.history_bytes(), bytes);
    channels.tidy(at(500) + 2 * IDLE);
    assert!(channels.is_empty() && channels.homes.is_empty() && channels.due.is_empty());
}

#[test]
fn a_thousand_that_are_over_together_go_in_steps() {
    let (mut channels, mut rng) = (channels(1), Rng::new(1));
    for n in 0..1000 {
        number(&mut channels, &named(&format!("public:{n}")), NOW, &mut rng);
    }
    let over = NOW + IDLE;
    channels.tidy(over);
    assert!((1..1000).contains(&channels.len()), "{}", channels.len());
    (0..3).for_each(|_| channels.tidy(over));
    assert!(channels.is_empty());
}

#[test]
fn an_old_word_does_not_undo_a_newer_one() {
    let (mut channels, mut rng) = (channels(3), Rng::new(1));
    let a = named("public:a");
    let (old, ..) = channels.listen(&a, LoopId(2), None, NOW, &mut rng);
    let generations = channels.listen_all(&a, NOW, &mut rng);
    channels.unlisten(&a, LoopId(2), old, NOW);
    channels.unlisten(&a, LoopId(0), generations[0], NOW);
    assert_eq!(channels.listeners(&a).collect::<Vec<_>>(), [LoopId(1), LoopId(2)]);
}
