//! Batches: each write stands or falls alone, and time never goes back.

use std::sync::Arc;

use stentor::base::time::Timestamp;
use stentor::store::{Error, Refusal, Write, Written};

use crate::backends::{Fixture, START_MS, contract, register, session, user};

contract! {
    fn what_is_refused_leaves_the_others_and_nothing_of_itself(f) {
        let (a, b) = (f.user("ann"), f.user("bob"));
        let chat = f.group(&a, &[]);
        let (dm, group, s) = (f.id(), f.id(), f.id());
        let mut to_bob = f.draft(chat, &a, "never");
        to_bob.target = stentor::store::Target::User { username: Arc::from("bob"), chat: dm };
        to_bob.reply_to = Some(chat);
        let batch = [
            Write::Message(f.draft(chat, &a, "1")),
            // Opens a DM, then is refused.
            Write::Message(to_bob),
            Write::CreateGroup {
                chat: group,
                by: a.clone(),
                name: Arc::from("g"),
                members: vec![b.clone(), user("nobody")],
            },
            register(&user("new"), "ANN", session(s, 1)),
            Write::Message(f.draft(chat, &b, "never")),
            Write::Message(f.draft(chat, &a, "2")),
            Write::CreateDm { chat: dm, by: a.clone(), other: b.clone() },
            Write::CreateDm { chat: group, by: b.clone(), other: a.clone() },
        ];
        let refusals: Vec<_> = f
            .batch(&batch)
            .into_iter()
            .map(|outcome| match outcome {
                Ok(Written::Chat { created, .. }) => Ok(created),
                Ok(_) => Ok(true),
                Err(Error::Refused(refusal)) => Err(refusal),
                Err(other) => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            refusals,
            [
                Ok(true),
                Err(Refusal::NoReplyTarget),
                Err(Refusal::NoUser),
                Err(Refusal::NameTaken),
                Err(Refusal::NoChat),
                Ok(true),
                Ok(true),
                Ok(false),
            ]
        );
        assert_eq!(f.messages(chat, &a).iter().map(|m| m.seq).collect::<Vec<_>>(), [1, 2]);
    }

    fn a_batch_has_one_time_stamp_and_it_never_goes_back(f) {
        let a = f.user("ann");
        let chat = f.group(&a, &[]);
        f.now_ms = START_MS + 100;
        let batch = [Write::Message(f.draft(chat, &a, "1")), Write::Message(f.draft(chat, &a, "2"))];
        f.batch(&batch);
        f.now_ms = START_MS - 86_400_000;
        f.say(chat, &a, "3");
        f.now_ms = START_MS + 101;
        f.say(chat, &a, "4");
        let at: Vec<_> = f.messages(chat, &a).iter().map(|m| m.created_at).collect();
        assert_eq!(at, [100, 100, 100, 101].map(|ms| Timestamp(START_MS + ms)));
        let logged: Vec<_> = f.log(chat, &a).iter().map(|e| e.at).collect();
        assert_eq!(logged, at);
    }

    fn an_empty_batch_is_nothing(f) {
        assert_eq!(f.batch(&[]), []);
        f.store.idle();
        f.user("ann");
    }
}
