//! What each class makes of a queue without room, as a table.

use super::*;

/// Queues `script` and shows what is there in the end: a word of the script is a letter for the class, a
/// digit for the channel, the offset and the size in tens of bytes; `*` marks a reply, `!0.N` that so
/// many tens were sent.
fn shown(limit: usize, script: &str) -> String {
    let (mut outbox, mut spares) = (Outbox::default(), Spares::default());
    let mut slow = Slow::of(&outbox);
    for word in script.split(' ') {
        let mut parts = word.split('.');
        let kind = parts.next().unwrap_or_default();
        let mut number = || parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
        let (offset, size) = (number(), 10 * number() as usize);
        let channel = u32::from(kind.as_bytes()[1] - b'0');
        let class = match &kind[..1] {
            "o" => Class::DropOldest,
            "n" => Class::DropNewest,
            "l" => Class::Latest,
            "c" => Class::Critical,
            "*" => Class::Reply,
            // So many bytes were sent.
            "!" => {
                outbox.sent_slow(10 * offset as usize, &mut slow, &mut spares);
                continue;
            }
            other => panic!("{other}"),
        };
        let tag = Tag { channel, offset, class };
        let bytes = Bytes::Raw(vec![b'x'; size]);
        if class == Class::Reply {
            outbox.push(bytes, tag, limit, &mut spares);
        } else {
            outbox.push_event(&mut slow, bytes, tag, limit, &mut spares);
        }
        assert_eq!(outbox.counted(), outbox.bytes(), "{script}");
    }
    let entries = outbox.entries.iter().filter(|entry| !entry.is_dead());
    let name = |entry: &Entry| match &entry.bytes {
        Bytes::Gap(missing) => {
            let Missing { channel, hole: Hole { from, to }, .. } = **missing;
            format!("{channel}[{from}-{to}]")
        }
        _ if entry.tag.class == Class::Reply => "*".to_owned(),
        _ => format!("{}:{}", entry.tag.channel, entry.tag.offset),
    };
    let mut words: Vec<String> = entries.map(name).collect();
    let pending =
        slow.accounts.iter().filter_map(|account| Some((account.channel, account.pending?)));
    words.extend(pending.map(|(channel, Hole { from, to })| format!("({channel}[{from}-{to}])")));
    words.join(" ")
}

#[test]
fn each_class_gives_way_in_its_own_manner() {
    for (script, expected) in [
        // There is room.
        ("o1.1.300 o1.2.300 n2.1.300", "1:1 1:2 2:1"),
        // The oldest of the same channel, as many as needed, with their gap in their place.
        ("o1.1.300 o2.7.300 o1.2.300 o1.3.300", "1[1-1] 2:7 1:2 1:3"),
        ("o1.1.200 o2.7.300 o1.2.200 o1.3.200 o1.4.500", "2:7 1[1-3] 1:4"),
        ("o1.1.400 o1.2.400 o1.3.400 o1.4.400", "1[1-2] 1:3 1:4"),
        // None of the channel is queued, so this one; the next that fits tells of it.
        ("o2.1.900 o1.5.200 o1.6.200", "2:1 (1[5-6])"),
        ("o2.1.900 o1.5.200 !0.900 o1.6.200", "1[5-5] 1:6"),
        // The newest.
        ("n1.1.600 n1.2.600 n1.3.600", "1:1 (1[2-3])"),
        ("n1.1.600 n1.2.600 n1.3.100", "1:1 1[2-2] 1:3"),
        // All but the newest.
        ("l1.1.300 l1.2.300 l2.1.300 l1.3.300", "1[1-2] 2:1 1:3"),
        ("l2.1.900 l1.1.300 l2.2.300", "(1[1-1]) 2[1-1] 2:2"),
        // Replies stay, and so does what has begun to go out.
        ("*0.0.800 o1.1.200 o1.2.200", "* 1[1-1] (1[2-2])"),
        ("o1.1.500 !0.100 o1.2.400 o1.3.400", "1:1 1[2-2] 1:3"),
        // A gap that grows takes up the one before it.
        ("n1.1.600 n1.2.600 n1.3.100 c9.1.400", "1[1-1] 1[2-2] 1:3 9:1"),
        ("n1.1.600 n1.2.600 n1.3.100 n1.4.100 c9.1.850", "1[1-3] 1:4 9:1"),
        // Critical ones are not dropped; others give way, of whatever channel.
        ("o1.1.300 n2.1.300 l3.1.300 c9.1.700", "1[1-1] 2[1-1] 3[1-1] 9:1"),
        // What has no offset is dropped without a word.
        ("o1.0.400 o1.0.400 o1.0.400", "1:0 1:0"),
        // An empty queue takes anything.
        ("n1.1.5000 n1.2.10", "1:1 (1[2-2])"),
    ] {
        let mut shown: Vec<String> = shown(10_000, script).split(' ').map(str::to_owned).collect();
        let mut wanted: Vec<&str> = expected.split(' ').collect();
        // What has no place has no order.
        shown.sort_by_key(|word| word.starts_with('('));
        wanted.sort_by_key(|word| word.starts_with('('));
        assert_eq!(shown.join(" "), wanted.join(" "), "{script}");
    }
}

#[test]
fn empty_places_do_not_add_up() {
    let (mut outbox, mut spares) = (Outbox::default(), Spares::default());
    let mut slow = Slow::of(&outbox);
    outbox.push(Bytes::Raw(vec![0; 10]), Tag::REPLY, 1000, &mut spares);
    outbox.sent_slow(1, &mut slow, &mut spares);
    for offset in 1..10_000 {
        let tag = Tag { channel: 1 + offset as u32 % 3, offset, class: Class::DropOldest };
        outbox.push_event(&mut slow, Bytes::Raw(vec![0; 50]), tag, 1000, &mut spares);
        while let Some(place) = slow.pop_unwritten() {
            if outbox.gap_at(&slow, place).is_some() {
                outbox.write_gap(&mut slow, place, None, Door::Lines);
            }
        }
        outbox.close_up(&mut slow);
        outbox.check(&slow);
        assert!(outbox.entries.len() < 100, "{} entries", outbox.entries.len());
    }
}
