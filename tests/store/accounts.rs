//! Accounts: registration, names without case, users known by a token only, passwords.

use std::sync::Arc;

use stentor::store::{Error, Found, Read, Refusal, Write, Written};

use crate::backends::{Fixture, contract, register, session, user};

contract! {
    fn a_name_is_taken_without_case_and_an_id_once(f) {
        let (alice, other) = (user("u-1"), user("u-2"));
        let one = f.id();
        let written = f.ok(register(&alice, "Alice", session(one, 1)));
        let Written::SignedIn { user: profile, session: Some(opened), .. } = written else {
            panic!("not signed in");
        };
        assert_eq!((&*profile.username, &*profile.display_name), ("Alice", "Alice"));
        assert_eq!(opened, one);
        let two = f.id();
        assert_eq!(f.refused(register(&other, "aLICE", session(two, 2))), Refusal::NameTaken);
        assert_eq!(f.refused(register(&alice, "bob", session(two, 2))), Refusal::IdTaken);
        assert_eq!(f.refused(register(&other, "bob", session(one, 2))), Refusal::IdTaken);
        // What was refused left neither name nor id behind.
        f.ok(register(&other, "bob", session(two, 2)));
    }

    fn credentials_are_found_by_name_in_any_case_and_by_id(f) {
        let alice = user("u-1");
        let one = f.id();
        f.ok(register(&alice, "Alice", session(one, 1)));
        f.user("token-only");
        let by_name = f.found(&Read::Credentials { username: Arc::from("ALICE") });
        let Found::Credentials(Some((profile, hash))) = by_name.clone() else {
            panic!("not found");
        };
        assert_eq!((&profile.id, &*hash), (&alice, "Alice-hash"));
        assert_eq!(f.found(&Read::CredentialsOf { user: alice }), by_name);
        for nobody in ["alic", "token-only", ""] {
            let read = Read::Credentials { username: Arc::from(nobody) };
            assert_eq!(f.found(&read), Found::Credentials(None), "{nobody}");
        }
        let read = Read::CredentialsOf { user: user("token-only") };
        assert_eq!(f.found(&read), Found::Credentials(None));
    }

    fn a_user_of_a_token_is_kept_on_first_sight(f) {
        let admit = |id: &str, name: Option<&str>| Write::Admit {
            user: user(id),
            name: name.map(Arc::from),
        };
        let name_of = |written| match written {
            Written::SignedIn { user, session: None, .. } => user.username.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(name_of(f.ok(admit("sub-1", Some("Ann")))), "Ann");
        assert_eq!(name_of(f.ok(admit("sub-1", Some("Other")))), "Ann");
        assert_eq!(name_of(f.ok(admit("sub-2", Some("ann")))), "sub-2");
        assert_eq!(name_of(f.ok(admit("sub-3", None))), "sub-3");
        // Someone else's name may be the id.
        assert_eq!(name_of(f.ok(admit("sub-4", Some("SUB-5")))), "SUB-5");
        assert_eq!(name_of(f.ok(admit("sub-5", None))), "sub-5-2");
    }

    fn a_session_opens_only_with_the_password_that_stands(f) {
        let alice = user("u-1");
        let (one, two, three) = (f.id(), f.id(), f.id());
        f.ok(register(&alice, "alice", session(one, 1)));
        let open = |user, hash: &str, id, refresh| Write::OpenSession {
            user,
            password: Arc::from(hash),
            session: session(id, refresh),
        };
        f.ok(open(alice.clone(), "alice-hash", two, 2));
        assert_eq!(f.refused(open(alice.clone(), "old", three, 3)), Refusal::SessionOver);
        assert_eq!(f.refused(open(alice.clone(), "alice-hash", two, 3)), Refusal::IdTaken);
        assert_eq!(f.refused(open(user("nobody"), "x", three, 3)), Refusal::NoUser);
        let change = |old: &str, new: &str| Write::ChangePassword {
            user: alice.clone(),
            old: Arc::from(old),
            new: Arc::from(new),
            keep: Some(two),
        };
        assert_eq!(f.refused(change("wrong", "new")), Refusal::SessionOver);
        assert_eq!(f.ok(change("alice-hash", "new")), Written::Revoked { sessions: vec![one] });
        assert_eq!(f.refused(open(alice.clone(), "alice-hash", three, 3)), Refusal::SessionOver);
        f.ok(open(alice.clone(), "new", three, 3));
    }

    fn users_are_found_by_the_beginning_of_either_name(f) {
        for (id, name, display) in
            [("u-1", "anna", "Zoë"), ("u-2", "Bob", "Anton"), ("u-3", "ANDY", "Andy"), ("u-4", "z_z", "X")]
        {
            let one = f.id();
            let Write::Register { user, username, password, session, .. } =
                register(&user(id), name, session(one, 1))
            else {
                unreachable!("a registration");
            };
            let display_name = Some(Arc::from(display));
            f.ok(Write::Register { user, username, display_name, password, session });
        }
        let mut search = |query: &str, limit| {
            match f.found(&Read::SearchUsers { query: Arc::from(query), limit }) {
                Found::Users(users) => {
                    users.iter().map(|u| u.username.to_string()).collect::<Vec<_>>()
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(search("AN", 9), ["ANDY", "anna", "Bob"]);
        assert_eq!(search("an", 2), ["ANDY", "anna"]);
        assert_eq!(search("zOË", 9), ["anna"]);
        assert_eq!(search("z", 9), ["z_z", "anna"]);
        // Nothing is a pattern.
        for nobody in ["%", "_", "z%", "nn", "*"] {
            assert_eq!(search(nobody, 9), [""; 0], "{nobody}");
        }
    }

    fn what_is_not_there_is_unavailable_to_nobody(f) {
        let sessions = Read::Sessions { user: user("nobody"), now_ms: 0 };
        assert_eq!(f.read(&sessions), Ok(Found::Sessions(vec![])));
        assert_eq!(f.read(&Read::ChatIds { user: user("nobody") }), Ok(Found::ChatIds(vec![])));
        assert_eq!(f.read(&Read::Chats { user: user("nobody") }), Ok(Found::Chats(vec![])));
        let revoke = Write::RevokeSessions { user: user("nobody") };
        assert_eq!(f.one(revoke), Err(Error::Refused(Refusal::NoUser)));
    }
}
