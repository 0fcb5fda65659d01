//! Messages: numbers without holes, the same `client_id` twice, DMs opened by one, edits, deletions, marks.

use std::sync::Arc;

use stentor::base::id::UserId;
use stentor::message::record::{RoomEvent, Visibility};
use stentor::store::{Logged, NewMessage, Refusal, Target, Write, Written};

use crate::backends::{Fixture, START_MS, contract, raw, user};

fn unread(
    f: &mut Fixture,
    chat: stentor::base::id::Id,
    user: &UserId,
    seq: u64,
) -> (u64, Option<Logged>) {
    match f.ok(Write::MarkRead { chat, user: user.clone(), seq }) {
        Written::Read { unread, logged, .. } => (unread, logged),
        other => panic!("{other:?}"),
    }
}

contract! {
    fn seq_and_offset_have_no_holes(f) {
        let (a, b, c) = (f.user("ann"), f.user("bob"), f.user("cat"));
        let chat = f.group(&a, &[&b]);
        let other = f.group(&c, &[]);
        let mut batch = Vec::new();
        for (sender, chat) in [(&a, chat), (&c, chat), (&b, chat), (&c, other), (&b, other), (&a, chat)] {
            batch.push(Write::Message(f.draft(chat, sender, "x")));
        }
        let out = f.batch(&batch);
        let told: Vec<_> = out
            .iter()
            .map(|outcome| match outcome {
                Ok(Written::Message { message, logged: Some(logged), .. }) => {
                    Some((message.seq, logged.offset))
                }
                _ => None,
            })
            .collect();
        assert_eq!(
            told,
            [Some((1, 1)), None, Some((2, 2)), Some((1, 1)), None, Some((3, 3))]
        );
        f.ok(Write::AddMembers { chat, by: a.clone(), users: vec![c.clone()] });
        assert_eq!(f.say(chat, &c, "y").seq, 4);
        let offsets: Vec<_> = f.log(chat, &a).iter().map(|event| event.offset).collect();
        assert_eq!(offsets, [1, 2, 3, 4, 5]);
    }

    fn a_message_is_told_as_it_is_stored(f) {
        let a = f.user("ann");
        let chat = f.group(&a, &[]);
        let first = f.say(chat, &a, "first");
        let mut draft = f.draft(chat, &a, "line\nline \u{2028}\u{0} é");
        draft.client_id = Some(Arc::from("c-1"));
        draft.reply_to = Some(first.id);
        draft.metadata = Some(raw(r#"{"a":[1,2.50]}"#));
        let Written::Message { message, logged: Some(logged), opened, .. } =
            f.ok(Write::Message(draft.clone()))
        else {
            panic!("?");
        };
        assert_eq!((message.id, message.chat_id, message.seq), (draft.id, chat, 2));
        assert_eq!((&message.content, &message.metadata), (&draft.content, &draft.metadata));
        assert_eq!((&*message.sender.username, message.created_at.0), ("ann", START_MS));
        assert_eq!(opened, []);
        assert_eq!(f.messages(chat, &a)[1], message);
        assert_eq!(f.log(chat, &a)[1], logged);
        assert_eq!(logged.event, RoomEvent::Message(message));
    }

    fn the_same_client_id_is_the_same_message(f) {
        let (a, b) = (f.user("ann"), f.user("bob"));
        let (chat, other) = (f.group(&a, &[&b]), f.group(&a, &[]));
        let mut draft = f.draft(chat, &a, "one");
        draft.client_id = Some(Arc::from("c"));
        let Written::Message { message: first, .. } = f.ok(Write::Message(draft.clone())) else {
            panic!("?");
        };
        let nowhere = f.id();
        let again = NewMessage {
            id: f.id(),
            content: Arc::from("two"),
            reply_to: Some(nowhere),
            ..draft.clone()
        };
        let duplicate = Written::Message {
            message: first.clone(),
            duplicate: true,
            opened: vec![],
            logged: None,
        };
        assert_eq!(f.ok(Write::Message(again.clone())), duplicate);
        assert_eq!(f.messages(chat, &b), std::slice::from_ref(&first));
        // By another user, and in another chat, it is another message.
        let by_other = NewMessage { id: f.id(), sender: b.clone(), ..draft.clone() };
        let elsewhere = NewMessage { id: f.id(), target: Target::Chat(other), ..draft.clone() };
        for (draft, seq) in [(by_other, 2), (elsewhere, 1)] {
            let Written::Message { message, duplicate: false, .. } = f.ok(Write::Message(draft))
            else {
                panic!("?");
            };
            assert_eq!(message.seq, seq);
        }
        // As it stands now: edited, then deleted.
        f.ok(Write::Edit { message: first.id, by: a.clone(), content: Arc::from("1") });
        f.ok(Write::Delete { message: first.id, by: a.clone() });
        let Written::Message { message, duplicate: true, .. } = f.ok(Write::Message(again)) else {
            panic!("?");
        };
        assert_eq!((message.id, &*message.content), (first.id, ""));
    }

    fn the_same_client_id_twice_in_a_batch_is_one_message(f) {
        let a = f.user("ann");
        let chat = f.group(&a, &[]);
        let mut draft = f.draft(chat, &a, "one");
        draft.client_id = Some(Arc::from("c"));
        let again = NewMessage { id: f.id(), ..draft.clone() };
        let out = f.batch(&[Write::Message(draft), Write::Message(again)]);
        let told = |n: usize| match &out[n] {
            Ok(Written::Message { message, duplicate, .. }) => (message.id, *duplicate),
            other => panic!("{other:?}"),
        };
        assert_eq!((told(0).1, told(1).1), (false, true));
        assert_eq!(told(0).0, told(1).0);
        assert_eq!(f.say(chat, &a, "next").seq, 2);
    }

    fn what_a_message_may_not_be(f) {
        let (a, b) = (f.user("ann"), f.user("bob"));
        let (chat, other) = (f.group(&a, &[]), f.group(&a, &[]));
        let stranger = f.say(other, &a, "there");
        let mut draft = f.draft(chat, &a, "x");
        draft.reply_to = Some(stranger.id);
        assert_eq!(f.refused(Write::Message(draft.clone())), Refusal::NoReplyTarget);
        draft.reply_to = None;
        draft.id = stranger.id;
        assert_eq!(f.refused(Write::Message(draft)), Refusal::IdTaken);
        for (target, sender) in [(chat, &b), (f.id(), &a), (chat, &user("nobody"))] {
            let draft = f.draft(target, sender, "x");
            assert_eq!(f.refused(Write::Message(draft)), Refusal::NoChat);
        }
        assert_eq!(f.say(chat, &a, "x").seq, 1);
    }

    fn a_message_to_a_name_opens_the_dm(f) {
        let (a, b) = (f.user("ann"), f.user("Bob"));
        let dm = f.id();
        let to = |f: &mut Fixture, name: &str, chat| {
            let mut draft = f.draft(dm, &user("ann"), "hi");
            draft.target = Target::User { username: Arc::from(name), chat };
            draft
        };
        let mut refused = to(f, "bob", dm);
        let nowhere = f.id();
        refused.reply_to = Some(nowhere);
        assert_eq!(f.refused(Write::Message(refused)), Refusal::NoReplyTarget);
        assert_eq!(f.found(&stentor::store::Read::ChatIds { user: b.clone() }), stentor::store::Found::ChatIds(vec![]));
        let draft = to(f, "bOB", dm);
        let Written::Message { message, opened, logged: Some(logged), .. } =
            f.ok(Write::Message(draft))
        else {
            panic!("?");
        };
        assert_eq!((message.chat_id, opened, logged.offset), (dm, vec![a.clone(), b.clone()], 1));
        let view = f.view(dm, &b);
        assert_eq!((view.read_seq, view.unread), (0, 1));
        let second = f.id();
        let draft = to(f, "bob", second);
        let Written::Message { message, opened, .. } = f.ok(Write::Message(draft)) else {
            panic!("?");
        };
        assert_eq!((message.chat_id, message.seq, opened), (dm, 2, vec![]));
        for (name, refusal) in [("nobody", Refusal::NoUser), ("ANN", Refusal::Oneself)] {
            let draft = to(f, name, second);
            assert_eq!(f.refused(Write::Message(draft)), refusal);
        }
    }

    fn authors_edit_and_nobody_else(f) {
        let (a, b, c) = (f.user("ann"), f.user("bob"), f.user("cat"));
        let chat = f.group(&a, &[&b]);
        let message = f.say(chat, &b, "old");
        f.now_ms += 7;
        let edit = |by: &UserId, text: &str| Write::Edit {
            message: message.id,
            by: by.clone(),
            content: Arc::from(text),
        };
        assert_eq!(f.refused(edit(&a, "x")), Refusal::Forbidden);
        assert_eq!(f.refused(edit(&c, "x")), Refusal::NoMessage);
        let Written::Edited { message: edited, logged } = f.ok(edit(&b, "new")) else { panic!("?") };
        assert_eq!((&*edited.content, edited.edited_at.map(|at| at.0 - START_MS)), ("new", Some(7)));
        assert_eq!((logged.offset, logged.event.word()), (2, "message:edited"));
        // The log tells of a message as it stands.
        let log = f.log(chat, &a);
        assert_eq!(log[0].event, RoomEvent::Message(edited.clone()));
        assert_eq!(log[1], logged);
        let nothing = f.id();
        let write = Write::Edit { message: nothing, by: a, content: Arc::from("") };
        assert_eq!(f.refused(write), Refusal::NoMessage);
        f.ok(Write::Delete { message: message.id, by: b.clone() });
        assert_eq!(f.refused(edit(&b, "x")), Refusal::Deleted);
    }

    fn what_is_deleted_keeps_its_place_and_nothing_else(f) {
        let (a, b, c) = (f.user("ann"), f.user("bob"), f.user("cat"));
        let chat = f.group(&a, &[&b, &c]);
        let mut draft = f.draft(chat, &b, "secret");
        draft.metadata = Some(raw(r#""secret""#));
        let id = draft.id;
        f.ok(Write::Message(draft));
        let delete = |by: &UserId| Write::Delete { message: id, by: by.clone() };
        assert_eq!(f.refused(delete(&c)), Refusal::Forbidden);
        let stranger = f.user("dan");
        assert_eq!(f.refused(delete(&stranger)), Refusal::NoMessage);
        f.now_ms += 3;
        let Written::Deleted { logged: Some(logged), .. } = f.ok(delete(&a)) else { panic!("?") };
        assert_eq!(logged.event, RoomEvent::Deleted { id, chat_id: chat, seq: 1 });
        assert_eq!(f.ok(delete(&b)), Written::Deleted { chat, logged: None });
        let message = f.messages(chat, &c).remove(0);
        assert_eq!((&*message.content, &message.metadata), ("", &None));
        assert_eq!(message.deleted_at.map(|at| at.0 - START_MS), Some(3));
        let log = f.log(chat, &c);
        assert!(!format!("{log:?}").contains("secret"));
        assert_eq!(log.len(), 2);
        assert_eq!(f.say(chat, &b, "next").seq, 2);
    }

    fn marks_move_forward_only_and_count_what_others_wrote(f) {
        let (a, b) = (f.user("ann"), f.user("bob"));
        let chat = f.group(&a, &[&b]);
        for _ in 0..4 {
            f.say(chat, &a, "x");
        }
        assert_eq!(f.view(chat, &b).unread, 4);
        assert_eq!(f.view(chat, &a).unread, 0);
        let (left, logged) = unread(f, chat, &b, 1);
        let logged = logged.expect("it moved");
        assert_eq!(left, 3);
        assert_eq!(logged.event, RoomEvent::Read { chat_id: chat, user_id: b.clone(), seq: 1 });
        assert_eq!(f.log(chat, &b)[4], logged);
        assert_eq!(unread(f, chat, &b, 1), (3, None));
        assert_eq!(unread(f, chat, &b, 0), (3, None));
        let third = f.messages(chat, &b)[2].id;
        f.ok(Write::Delete { message: third, by: a.clone() });
        assert_eq!((f.view(chat, &b).unread, unread(f, chat, &b, 1).0), (2, 2));
        // Never beyond the newest, however far it is asked to go.
        let (left, logged) = unread(f, chat, &b, u64::MAX);
        assert!(matches!(logged.map(|l| l.event), Some(RoomEvent::Read { seq: 4, .. })));
        assert_eq!(left, 0);
        f.say(chat, &a, "y");
        assert_eq!(f.view(chat, &b).unread, 1);
        // Writing is reading, without an event.
        f.say(chat, &b, "z");
        let view = f.view(chat, &b);
        assert_eq!((view.read_seq, view.unread), (6, 0));
        assert_eq!(f.view(chat, &a).unread, 1);
        assert!(f.log(chat, &a).iter().filter(|e| e.event.word() == "read").count() == 2);
        let stranger = f.user("cat");
        assert_eq!(f.refused(Write::MarkRead { chat, user: stranger, seq: 1 }), Refusal::NoChat);
    }

    fn who_comes_back_has_read_what_is_there(f) {
        let (a, b) = (f.user("ann"), f.user("bob"));
        let chat = f.room(&a, Visibility::Public, "open");
        f.ok(Write::Join { chat, user: b.clone() });
        f.say(chat, &b, "mine");
        f.ok(Write::Leave { chat, user: b.clone() });
        f.say(chat, &a, "away");
        f.ok(Write::Join { chat, user: b.clone() });
        f.say(chat, &a, "back");
        let view = f.view(chat, &b);
        assert_eq!((view.read_seq, view.unread), (2, 1));
        assert_eq!(view.last_message.expect("the newest").seq, 3);
    }
}
