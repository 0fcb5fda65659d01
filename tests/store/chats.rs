//! Chats: DMs, groups, rooms, who comes and goes, who owns them, what the log says of it.

use std::sync::Arc;

use stentor::base::id::{Id, UserId};
use stentor::message::record::{ChatKind, MemberRole, RoomEvent, Visibility};
use stentor::store::{Found, Logged, Read, Refusal, Write, Written};

use crate::backends::{Fixture, contract, raw, user};

/// The types and offsets of logged events.
fn words(logged: &[Logged]) -> Vec<(u64, &'static str)> {
    logged.iter().map(|event| (event.offset, event.event.word())).collect()
}

fn owners(f: &mut Fixture, chat: Id, user: &UserId) -> Vec<String> {
    let members = f.view(chat, user).chat.members;
    let owners = members.iter().filter(|member| member.role == MemberRole::Owner);
    owners.map(|member| member.username.to_string()).collect()
}

fn members(f: &mut Fixture, chat: Id, user: &UserId) -> Vec<String> {
    f.view(chat, user).chat.members.iter().map(|member| member.username.to_string()).collect()
}

fn update(chat: Id, by: &UserId) -> Write {
    let name = Some(Arc::from("other"));
    Write::UpdateChat { chat, by: by.clone(), name, visibility: None, metadata: None }
}

contract! {
    fn a_dm_is_made_once_for_both(f) {
        let (a, b) = (f.user("ann"), f.user("bob"));
        let (one, two) = (f.id(), f.id());
        let dm = |chat, by: &UserId, other: &UserId| Write::CreateDm {
            chat,
            by: by.clone(),
            other: other.clone(),
        };
        let Written::Chat { view, created: true, joined, logged } = f.ok(dm(one, &a, &b)) else {
            panic!("not made");
        };
        assert_eq!((view.chat.kind, view.chat.name.clone()), (ChatKind::Dm, None));
        assert_eq!((joined, logged), (vec![a.clone(), b.clone()], vec![]));
        let Written::Chat { view, created: false, joined, .. } = f.ok(dm(two, &b, &a)) else {
            panic!("made again");
        };
        assert_eq!((view.chat.id, joined), (one, vec![]));
        assert_eq!(f.refused(dm(two, &a, &a)), Refusal::Oneself);
        assert_eq!(f.refused(dm(two, &a, &user("nobody"))), Refusal::NoUser);
        let c = f.user("cat");
        assert_eq!(f.refused(dm(one, &a, &c)), Refusal::IdTaken);
        assert_eq!(owners(f, one, &a), [""; 0]);
    }

    fn nothing_but_messages_happens_in_a_dm(f) {
        let (a, b, c) = (f.user("ann"), f.user("bob"), f.user("cat"));
        let chat = f.id();
        f.ok(Write::CreateDm { chat, by: a.clone(), other: b.clone() });
        for write in [
            Write::Leave { chat, user: a.clone() },
            Write::AddMembers { chat, by: a.clone(), users: vec![c.clone()] },
            Write::RemoveMember { chat, by: a.clone(), user: b.clone() },
            update(chat, &a),
        ] {
            assert_eq!(f.refused(write), Refusal::NotForDm);
        }
        // Who is no member does not even learn that it is one.
        assert_eq!(f.refused(update(chat, &c)), Refusal::NoChat);
        assert_eq!(f.refused(Write::Leave { chat, user: c.clone() }), Refusal::NoChat);
        assert_eq!(f.refused(Write::Join { chat, user: c }), Refusal::NoChat);
    }

    fn a_group_has_its_members_in_order_and_refuses_unknown_ones(f) {
        let (a, b, c) = (f.user("ann"), f.user("bob"), f.user("cat"));
        let chat = f.id();
        let group = |members: &[&UserId]| Write::CreateGroup {
            chat,
            by: a.clone(),
            name: Arc::from("Group"),
            members: members.iter().map(|&m| m.clone()).collect(),
        };
        assert_eq!(f.refused(group(&[&b, &user("nobody")])), Refusal::NoUser);
        assert_eq!(f.found(&Read::ChatIds { user: a.clone() }), Found::ChatIds(vec![]));
        let Written::Chat { view, created: true, joined, logged } = f.ok(group(&[&c, &a, &b, &c]))
        else {
            panic!("not made");
        };
        assert_eq!(joined, [a.clone(), c.clone(), b.clone()]);
        assert_eq!((view.chat.visibility, logged), (Visibility::Private, vec![]));
        assert_eq!(members(f, chat, &b), ["ann", "cat", "bob"]);
        assert_eq!(owners(f, chat, &b), ["ann"]);
        assert_eq!(f.refused(group(&[])), Refusal::IdTaken);
    }

    fn a_public_room_is_open_and_a_private_one_is_not_there(f) {
        let (a, b) = (f.user("ann"), f.user("bob"));
        let open = f.room(&a, Visibility::Public, "open");
        let shut = f.room(&a, Visibility::Private, "shut");
        let nowhere = f.id();
        f.say(open, &a, "before");
        let join = |chat, user: &UserId| Write::Join { chat, user: user.clone() };
        assert_eq!(f.refused(join(shut, &b)), Refusal::NoChat);
        assert_eq!(f.refused(join(nowhere, &b)), Refusal::NoChat);
        assert_eq!(f.refused(join(open, &user("nobody"))), Refusal::NoUser);
        let Written::Chat { view, created: false, joined, logged } = f.ok(join(open, &b)) else {
            panic!("not joined");
        };
        assert_eq!(joined, std::slice::from_ref(&b));
        assert_eq!(words(&logged), [(2, "member:joined")]);
        assert_eq!((view.read_seq, view.unread), (1, 0));
        let Written::Chat { joined, logged, .. } = f.ok(join(open, &b)) else { panic!("?") };
        assert!(joined.is_empty() && logged.is_empty());
        // A member of a private one is told of it, and nothing changes.
        let Written::Chat { joined, .. } = f.ok(join(shut, &a)) else { panic!("?") };
        assert!(joined.is_empty());
    }

    fn the_last_owner_leaves_the_chat_to_the_oldest_member(f) {
        let (a, b, c) = (f.user("ann"), f.user("bob"), f.user("cat"));
        let chat = f.group(&a, &[&c, &b]);
        let leave = |user: &UserId| Write::Leave { chat, user: user.clone() };
        let Written::Left { user: gone, logged, .. } = f.ok(leave(&a)) else { panic!("?") };
        assert_eq!(gone, a);
        assert_eq!(words(&logged), [(1, "member:left"), (2, "chat:updated")]);
        assert_eq!(owners(f, chat, &b), ["cat"]);
        assert_eq!(f.refused(leave(&a)), Refusal::NoChat);
        let Written::Left { logged, .. } = f.ok(leave(&b)) else { panic!("?") };
        assert_eq!(words(&logged), [(3, "member:left")]);
        let Written::Left { logged, .. } = f.ok(leave(&c)) else { panic!("?") };
        assert_eq!(words(&logged), [(4, "member:left")]);
        assert_eq!(f.refused(Write::Join { chat, user: a }), Refusal::NoChat);
    }

    fn an_empty_public_room_belongs_to_who_comes_next(f) {
        let (a, b) = (f.user("ann"), f.user("bob"));
        let chat = f.room(&a, Visibility::Public, "open");
        f.say(chat, &a, "one");
        f.ok(Write::Leave { chat, user: a.clone() });
        f.ok(Write::Join { chat, user: b.clone() });
        assert_eq!(owners(f, chat, &b), ["bob"]);
        f.ok(Write::Join { chat, user: a.clone() });
        assert_eq!((owners(f, chat, &a), members(f, chat, &a)), (vec!["bob".into()], vec!["bob".into(), "ann".into()]));
        assert_eq!(f.say(chat, &a, "two").seq, 2);
    }

    fn only_owners_change_who_is_in(f) {
        let (a, b, c, d) = (f.user("ann"), f.user("bob"), f.user("cat"), f.user("dan"));
        let chat = f.group(&a, &[&b]);
        let add = |by: &UserId, users: &[&UserId]| Write::AddMembers {
            chat,
            by: by.clone(),
            users: users.iter().map(|&u| u.clone()).collect(),
        };
        assert_eq!(f.refused(add(&b, &[&c])), Refusal::Forbidden);
        assert_eq!(f.refused(add(&c, &[&c])), Refusal::NoChat);
        assert_eq!(f.refused(add(&a, &[&c, &user("nobody")])), Refusal::NoUser);
        assert_eq!(members(f, chat, &a), ["ann", "bob"]);
        let Written::Chat { joined, logged, .. } = f.ok(add(&a, &[&b, &d, &c, &d])) else {
            panic!("?");
        };
        assert_eq!(joined, [d.clone(), c.clone()]);
        assert_eq!(words(&logged), [(1, "member:joined"), (2, "member:joined")]);
        assert_eq!(logged[0].sender, a);
        let RoomEvent::Joined { chat_id, user } = &logged[0].event else { panic!("?") };
        assert_eq!((*chat_id, &user.id), (chat, &d));

        let remove = |by: &UserId, user: &UserId| Write::RemoveMember {
            chat,
            by: by.clone(),
            user: user.clone(),
        };
        assert_eq!(f.refused(remove(&b, &c)), Refusal::Forbidden);
        let Written::Left { user: gone, logged, .. } = f.ok(remove(&a, &d)) else { panic!("?") };
        assert_eq!((gone, words(&logged)), (d.clone(), vec![(3, "member:left")]));
        assert_eq!(f.refused(remove(&a, &d)), Refusal::NoUser);
        assert_eq!(f.refused(remove(&d, &a)), Refusal::NoChat);
        let Written::Left { logged, .. } = f.ok(remove(&a, &a)) else { panic!("?") };
        assert_eq!(words(&logged), [(4, "member:left"), (5, "chat:updated")]);
        assert_eq!(owners(f, chat, &b), ["bob"]);
    }

    fn only_owners_change_what_it_is(f) {
        let (a, b) = (f.user("ann"), f.user("bob"));
        let chat = f.room(&a, Visibility::Public, "Old");
        f.ok(Write::Join { chat, user: b.clone() });
        assert_eq!(f.refused(update(chat, &b)), Refusal::Forbidden);
        let change = |name: Option<&str>, visibility, metadata: Option<&str>| Write::UpdateChat {
            chat,
            by: a.clone(),
            name: name.map(Arc::from),
            visibility,
            metadata: metadata.map(raw),
        };
        let Written::Chat { view, logged, .. } =
            f.ok(change(Some("New"), Some(Visibility::Private), Some(r#"{"k":1}"#)))
        else {
            panic!("?");
        };
        assert_eq!(words(&logged), [(2, "chat:updated")]);
        let RoomEvent::Updated(told) = &logged[0].event else { panic!("?") };
        assert_eq!(**told, view.chat);
        assert_eq!(view.chat.name.as_deref(), Some("New"));
        assert_eq!(view.chat.metadata, Some(raw(r#"{"k":1}"#)));
        // The log says it again as it was then, even after the next change.
        let Written::Chat { view, .. } = f.ok(change(None, None, Some("null"))) else { panic!("?") };
        assert_eq!((view.chat.name.as_deref(), view.chat.metadata), (Some("New"), None));
        assert_eq!(f.log(chat, &b)[1], logged[0]);
        let Written::Chat { logged, .. } = f.ok(change(None, None, None)) else { panic!("?") };
        assert_eq!(logged, []);
        let group = f.group(&a, &[]);
        let public = Write::UpdateChat {
            chat: group,
            by: a.clone(),
            name: Some(Arc::from("x")),
            visibility: Some(Visibility::Public),
            metadata: None,
        };
        assert_eq!(f.refused(public), Refusal::Forbidden);
        assert_eq!(f.view(group, &a).chat.name.as_deref(), Some("group"));
    }
}
