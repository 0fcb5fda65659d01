//! Who is subscribed, what is put by, what is not told twice, and when a number is used again.

use super::*;
use crate::protocol::frame::Draft;
use crate::protocol::websocket::Opcode;

fn frame(text: &str) -> Frame {
    let mut draft = Draft::new(Vec::new());
    draft.payload().extend_from_slice(text.as_bytes());
    draft.finish(Opcode::Text).share()
}

fn connection(slot: u32) -> ConnectionId {
    ConnectionId { slot, generation: 0 }
}

#[test]
fn what_a_reply_told_is_not_told_again() {
    let mut subscriptions = Subscriptions::new(1, &Policies::default());
    let a = Channel::parse("public:a").expect("a good name");
    let (one, two) = (connection(1), connection(2));
    let number = subscriptions.add(&a, one).number;
    subscriptions.add(&a, two);
    assert!(subscriptions.all_new(number));
    subscriptions.told(number, one, 5);
    let has = |subscriptions: &Subscriptions, of, offset| subscriptions.has(number, of, offset);
    for (of, offset, had) in
        [(one, 0, false), (one, 1, true), (one, 5, true), (one, 6, false), (two, 5, false)]
    {
        assert_eq!(has(&subscriptions, of, offset), had, "{of:?} {offset}");
    }
    assert_eq!(subscriptions.told_to(number, one), Some(5));
    assert_eq!(subscriptions.told_to(number, two), None);
    subscriptions.passed(number, 4);
    assert!(has(&subscriptions, one, 5) && !subscriptions.all_new(number));
    subscriptions.told(number, one, 7);
    subscriptions.passed(number, 5);
    assert!(has(&subscriptions, one, 7));
    subscriptions.passed(number, 7);
    assert!(subscriptions.all_new(number));
    assert_eq!(subscriptions.told_to(number, one), None, "it has heard more than that");
    subscriptions.told(number, one, 9);
    subscriptions.remove(number, one);
    assert!(subscriptions.all_new(number), "who comes back begins anew");
}

#[test]
fn what_comes_before_the_reply_is_put_by() {
    let mut subscriptions = Subscriptions::new(1, &Policies::default());
    let a = Channel::parse("public:a").expect("a good name");
    let (one, two, three) = (connection(1), connection(2), connection(3));
    let number = subscriptions.add(&a, one).number;
    subscriptions.hold(&a, two);
    assert!(!subscriptions.parks(number));
    // One renews, two and three are new.
    assert!(!subscriptions.park(&a, one).new && !subscriptions.park(&a, two).new);
    assert!(subscriptions.park(&a, three).new && subscriptions.parks(number));
    assert_eq!(subscriptions.receivers(number), []);
    subscriptions.put_by(number, 1, &frame("x"), None);
    subscriptions.put_by(number, 2, &frame("y"), Some(two));
    let offsets = |parked: Option<Box<Parked>>| {
        let parked = parked.expect("something was put by");
        (parked.events.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), parked.lost)
    };
    assert_eq!(offsets(subscriptions.release(number, one)), (vec![1, 2], false));
    assert_eq!(offsets(subscriptions.release(number, two)), (vec![1], false));
    assert_eq!(subscriptions.receivers(number), [one, two]);
    let long = frame(&"z".repeat(PARKED_BYTES_MAX / 2));
    for offset in 3..6 {
        subscriptions.put_by(number, offset, &long, None);
    }
    assert_eq!(offsets(subscriptions.release(number, three)), (vec![], true));
    assert!(!subscriptions.parks(number) && subscriptions.release(number, three).is_none());
    subscriptions.park(&a, three);
    subscriptions.remove(number, three);
    assert!(!subscriptions.parks(number));
}

#[test]
fn a_renewal_that_comes_to_nothing_leaves_it_told_who_is_there() {
    let mut subscriptions = Subscriptions::new(1, &Policies::default());
    let a = Channel::parse("public:a").expect("a good name");
    let (one, two) = (connection(1), connection(2));
    let number = subscriptions.add(&a, one).number;
    subscriptions.hold(&a, two);
    assert!(subscriptions.watch(number, one, true));
    subscriptions.put_news_by(number, one);
    assert!(subscriptions.tell_news(number, one).is_empty(), "it is told from now on");
    // It asks anew; before the answer it is told at once, behind the answer with the reply.
    assert!(!subscriptions.watch(number, one, true));
    assert_eq!(subscriptions.hear_news(number, &frame("x"), None), [one]);
    subscriptions.put_news_by(number, one);
    assert_eq!(subscriptions.hear_news(number, &frame("y"), None), []);
    let news = subscriptions.tell_as_before(number, one).expect("it was told before");
    assert_eq!(news.iter().map(Frame::payload).collect::<Vec<_>>(), [b"y"]);
    assert_eq!(subscriptions.hear_news(number, &frame("z"), None), [one]);
    // Who never had a reply was not told.
    assert!(subscriptions.watch(number, two, true));
    subscriptions.put_news_by(number, two);
    assert!(subscriptions.tell_as_before(number, two).is_none());
}

#[test]
fn a_channel_is_known_as_long_as_somebody_is_subscribed() {
    let mut subscriptions = Subscriptions::new(1, &Policies::default());
    let a = Channel::parse("public:a").expect("a good name");
    let first = subscriptions.add(&a, connection(1));
    assert!(first.new && first.number > 0);
    assert_eq!(subscriptions.add(&a, connection(1)), Added { new: false, ..first });
    assert_eq!(subscriptions.add(&a, connection(2)), first);
    assert!(subscriptions.heard(&a, 5));
    assert_eq!(subscriptions.receivers(first.number), [connection(1), connection(2)]);
    assert_eq!(subscriptions.remove(first.number, connection(1)), None);
    assert_eq!(subscriptions.remove(first.number, connection(1)), None);
    subscriptions.hold(&a, connection(3));
    assert_eq!(subscriptions.receivers(first.number), [connection(2)]);
    assert_eq!(subscriptions.remove(first.number, connection(2)), None);
    subscriptions.release(first.number, connection(3));
    assert_eq!(subscriptions.receivers(first.number), [connection(3)]);
    assert_eq!(subscriptions.remove(first.number, connection(3)), Some((a.clone(), 5)));
    assert!(subscriptions.is_empty() && !subscriptions.heard(&a, 6));
    // A number is known for a while, and used again after that.
    assert_eq!(subscriptions.name(first.number), Some(&a));
    for round in 0..2 * RESTING {
        let next = subscriptions.add(&a, connection(3)).number;
        assert!(next != first.number || round >= RESTING);
        subscriptions.remove(next, connection(3));
    }
    assert!(subscriptions.entries.len() <= RESTING + 3, "numbers are reused");
}
