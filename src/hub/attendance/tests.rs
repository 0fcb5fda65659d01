//! Who is told what, and random scripts against what a watcher has to know.

use super::*;
use crate::base::id::{ConnectionId, LoopId};
use crate::base::rng::Rng;
use crate::hub::policy::Policy;
use crate::message::presence::Status;

const GRACE: Duration = Duration::from_secs(15);
const START: Duration = Duration::from_secs(1000);

fn attendance() -> Attendance {
    let count = Policy { presence: Presence::Count, ..Policy::OPEN };
    let off = Policy { presence: Presence::Off, ..Policy::OPEN };
    let given = [("crowd".into(), count), ("quiet".into(), off)];
    Attendance::new(1, &Policies::new(given), GRACE)
}

fn channel(name: &str) -> Channel {
    Channel::parse(name).expect("a good name")
}

fn address(slot: u32) -> Address {
    Address { home: LoopId(0), connection: ConnectionId { slot, generation: 0 } }
}

fn card(name: &str) -> UserCard {
    UserCard { id: UserId(name.into()), username: name.into() }
}

fn standing(status: Status) -> Standing {
    Standing { status, note: None }
}

/// News as words: `ana+`, `ana-`, `ana~away`, `#3`.
fn words(news: Vec<News>) -> Vec<String> {
    let word = |news| match news {
        News::Changed(_, Changed { username, standing, change, .. }, _) => match change {
            Change::Join => format!("{username}+"),
            Change::Leave => format!("{username}-"),
            Change::Update => format!("{username}~{:?}", standing.status),
        },
        News::Counted(_, count) => format!("#{count}"),
        News::Forget(user) => format!("?{}", user.as_str()),
    };
    news.into_iter().map(word).collect()
}

#[test]
fn changes_of_a_turn_are_told_together_and_what_undoes_itself_is_not() {
    let (mut there, a) = (attendance(), channel("public:a"));
    there.come(&a, address(0), &card("eve"), START);
    let (news, who) = there.watch(&a, LoopId(0), true, START);
    assert_eq!((news, who.count, who.users.len()), (Vec::new(), 1, 1));
    there.come(&a, address(1), &card("ana"), START);
    there.come(&a, address(2), &card("ana"), START);
    there.come(&a, address(3), &card("bob"), START);
    there.go(&a, address(3), false, true, START);
    assert_eq!(there.next_due(), Some(START));
    assert_eq!(words(there.due(START)), ["ana+"]);
    assert_eq!(there.who_is_there(&a).users.len(), 2);
    // One connection of two is not the user.
    there.go(&a, address(1), false, true, START);
    assert!(there.due(START).is_empty());
    there.set(&UserId("ana".into()), standing(Status::Away), None, START);
    assert_eq!(words(there.due(START)), ["ana~Away"]);
    there.go(&a, address(2), false, true, START);
    assert_eq!(words(there.due(START)), ["ana-"]);
}

#[test]
fn who_comes_back_within_the_grace_was_never_away() {
    let (mut there, a) = (attendance(), channel("public:a"));
    there.watch(&a, LoopId(0), true, START);
    there.come(&a, address(1), &card("ana"), START);
    assert_eq!(words(there.due(START)), ["ana+"]);
    there.go(&a, address(1), false, false, START);
    assert!(there.due(START + GRACE / 2).is_empty());
    let who = there.who_is_there(&a);
    assert_eq!((who.count, who.users[0].connections), (1, 1), "the user counts meanwhile");
    there.come(&a, address(2), &card("ana"), START + GRACE / 2);
    assert!(there.due(START + 2 * GRACE).is_empty());
    let late = START + 2 * GRACE;
    there.go(&a, address(2), false, false, late);
    assert!(there.due(late + GRACE - Duration::from_millis(1)).is_empty());
    assert_eq!(words(there.due(late + GRACE)), ["ana-"]);
    there.unwatch(&a, LoopId(0));
    assert!(there.is_empty() && there.next_due().is_none(), "nothing is left");
}

#[test]
fn who_is_invisible_is_nowhere() {
    let (mut there, a) = (attendance(), channel("public:a"));
    there.watch(&a, LoopId(0), true, START);
    let ana = UserId("ana".into());
    there.set(&ana, standing(Status::Invisible), None, START);
    there.come(&a, address(1), &card("ana"), START);
    assert!(there.due(START).is_empty());
    assert_eq!(there.who_is_there(&a), WhoIsThere::default());
    there.set(&ana, Standing::default(), None, START);
    assert_eq!(words(there.due(START)), ["ana+"]);
    there.set(&ana, standing(Status::Invisible), None, START);
    let News::Changed(_, changed, _) = &there.due(START)[0] else { panic!("a change") };
    assert_eq!((changed.change, changed.standing.status), (Change::Leave, Status::Online));
    // The status is kept until every channel has told that the user is gone.
    there.go(&a, address(1), false, false, START);
    there.left(&ana, START);
    assert_eq!(words(there.due(START + 2 * GRACE)), Vec::<String>::new());
    assert_eq!(words(there.due(START + 2 * GRACE + STANDING_KEPT)), ["?ana"]);
}

#[test]
fn a_crowd_is_told_as_a_number_once_a_second() {
    let (mut there, a) = (attendance(), channel("crowd:a"));
    there.watch(&a, LoopId(0), true, START);
    let (mut news, mut now) = (Vec::new(), START);
    for n in 0..5000 {
        now += Duration::from_millis(1);
        there.come(&a, address(n), &card(&format!("u{n}")), now);
        news.extend(words(there.due(now)));
    }
    news.extend(words(there.due(now + COUNT_EVERY)));
    assert_eq!(news.len(), 6, "{news:?}");
    assert_eq!(news.last().map(String::as_str), Some("#5000"));
    let who = there.who_is_there(&a);
    assert_eq!((who.count, who.users.len()), (5000, 0));
    // Who watches while a number is to be told is told it though it is the old one.
    now += 2 * COUNT_EVERY;
    there.come(&a, address(6000), &card("ana"), now);
    there.due(now);
    there.come(&a, address(6001), &card("bob"), now);
    assert_eq!(there.watch(&a, LoopId(0), true, now).1.count, 5002);
    there.go(&a, address(6001), false, true, now);
    assert_eq!(words(there.due(now + COUNT_EVERY)), ["#5001"]);
}

#[test]
fn where_nothing_is_told_nothing_is_kept() {
    let (mut there, a) = (attendance(), channel("quiet:a"));
    there.come(&a, address(1), &card("ana"), START);
    assert!(there.is_empty() && there.watch(&a, LoopId(0), true, START).1 == WhoIsThere::default());
}

/// What a watcher knows by its snapshot and the news after it.
#[derive(Default)]
struct Knows(BTreeMap<UserId, Standing>);

impl Knows {
    fn hear(&mut self, news: &[News]) {
        for news in news {
            let News::Changed(_, Changed { user_id, standing, change, .. }, _) = news else {
                continue;
            };
            let known = self.0.contains_key(user_id);
            assert_eq!(known, *change != Change::Join, "{change:?} of {user_id:?}");
            match change {
                Change::Leave => drop(self.0.remove(user_id)),
                Change::Join => drop(self.0.insert(user_id.clone(), standing.clone())),
                Change::Update => {
                    let before = self.0.insert(user_id.clone(), standing.clone());
                    assert_ne!(before.as_ref(), Some(standing), "an update changes something");
                }
            }
            assert!(standing.is_seen(), "an invisible one is told");
        }
    }
}

/// Plays a random script; `deaf` is a planted bug: the watcher misses the news before its snapshot's.
fn law(seed: u64, deaf: bool) {
    let (mut there, a) = (attendance(), channel("public:a"));
    let (mut rng, mut now) = (Rng::new(seed), START);
    let mut watchers: Vec<Knows> = Vec::new();
    let mut open: BTreeMap<u32, u32> = BTreeMap::new();
    for _ in 0..200 {
        let slot = rng.below(12) as u32;
        let user = card(&format!("u{}", slot % 5));
        let mut news = Vec::new();
        match rng.below(8) {
            0..=2 if !open.contains_key(&slot) => {
                there.come(&a, address(slot), &user, now);
                open.insert(slot, slot % 5);
            }
            0..=3 if open.remove(&slot).is_some() => {
                there.go(&a, address(slot), false, rng.below(2) == 0, now);
            }
            4 => {
                let (status, _) = Status::WORDS[rng.below(4) as usize];
                there.set(&user.id, standing(status), None, now);
            }
            5 => {
                now += Duration::from_secs(rng.below(20));
                news = there.due(now);
            }
            6 if watchers.len() < 3 => {
                let who;
                (news, who) = there.watch(&a, LoopId(0), true, now);
                let users = who.users.into_iter();
                let knows = users.map(|user| (user.user_id, user.standing)).collect();
                if !deaf {
                    watchers.iter_mut().for_each(|knows| knows.hear(&news));
                }
                watchers.push(Knows(knows));
                continue;
            }
            _ => news = there.due(now),
        }
        watchers.iter_mut().for_each(|knows| knows.hear(&news));
    }
    let news = there.due(now);
    watchers.iter_mut().for_each(|knows| knows.hear(&news));
    let who = there.who_is_there(&a);
    assert_eq!(who.count as usize, who.users.len());
    let so: BTreeMap<_, _> =
        who.users.into_iter().map(|user| (user.user_id, user.standing)).collect();
    for (number, knows) in watchers.iter().enumerate() {
        assert_eq!(knows.0, so, "watcher {number} of {seed}");
    }
    for user in open.values().map(|user| UserId(format!("u{user}").into())) {
        assert_eq!(so.contains_key(&user), there.standing(&user).is_seen(), "{user:?}");
    }
}

#[test]
fn a_watcher_knows_who_is_there() {
    (0..300).for_each(|seed| law(seed, false));
    let caught = (0..300).any(|seed| std::panic::catch_unwind(|| law(seed, true)).is_err());
    assert!(caught, "a watcher that misses news is noticed");
}
