//! Sessions: refresh tokens that rotate, the reuse of one, revocation, what still stands.

use std::sync::Arc;

use stentor::base::id::Id;
use stentor::message::record::{ClientInfo, Role};
use stentor::store::{Found, Read, Refusal, Write, Written};

use crate::backends::{Fixture, START_MS, contract, register, session, user};

fn rotate(session: Id, used: u8, next: u8) -> Write {
    let expires_ms = START_MS + 7_200_000;
    Write::Rotate { session, used: [used; 32], next: [next; 32], expires_ms }
}

fn stands(f: &mut Fixture, session: Option<Id>, jti: Option<&str>) -> bool {
    let jti = jti.map(Arc::from);
    match f.found(&Read::Standing {
        user: user("u-1"),
        session,
        jti,
        issued_s: None,
        now_ms: f.now_ms,
    }) {
        Found::Standing { stands, .. } => stands,
        other => panic!("{other:?}"),
    }
}

/// The user `u-1` with a session whose refresh token is 1.
fn signed_in(f: &mut Fixture) -> Id {
    let one = f.id();
    f.ok(register(&user("u-1"), "alice", session(one, 1)));
    one
}

contract! {
    fn a_refresh_token_works_once_and_its_reuse_ends_the_session(f) {
        let one = signed_in(f);
        f.ok(rotate(one, 1, 2));
        f.ok(rotate(one, 2, 3));
        // Never issued: refused, and nothing is revoked.
        assert_eq!(f.refused(rotate(one, 9, 4)), Refusal::NoSession);
        assert!(stands(f, Some(one), None));
        let nowhere = f.id();
        assert_eq!(f.refused(rotate(nowhere, 3, 4)), Refusal::NoSession);
        // Used before: the whole family ends, and that is committed.
        assert_eq!(f.refused(rotate(one, 1, 4)), Refusal::TokenReused);
        assert!(!stands(f, Some(one), None));
        assert_eq!(f.refused(rotate(one, 3, 4)), Refusal::SessionOver);
        assert_eq!(f.refused(rotate(one, 1, 4)), Refusal::TokenReused);
    }

    fn reuse_is_found_within_the_batch_that_uses_it(f) {
        let one = signed_in(f);
        let out = f.batch(&[rotate(one, 1, 2), rotate(one, 1, 3), rotate(one, 2, 4)]);
        assert!(out[0].is_ok());
        assert!(out[1].is_err() && out[2].is_err());
        assert!(!stands(f, Some(one), None));
    }

    fn a_session_is_over_when_its_refresh_token_is(f) {
        let one = signed_in(f);
        f.now_ms = START_MS + 3_600_000 - 1;
        assert!(stands(f, Some(one), None));
        f.now_ms += 1;
        assert!(!stands(f, Some(one), None));
        assert_eq!(f.refused(rotate(one, 1, 2)), Refusal::SessionOver);
    }

    fn the_live_sessions_are_listed_newest_first(f) {
        let alice = user("u-1");
        let one = signed_in(f);
        f.now_ms += 5;
        let two = f.id();
        let mut new = session(two, 2);
        let info = ClientInfo { version: Some(Arc::from("1.2")), ..ClientInfo::default() };
        new.client_info = Some(info.clone());
        f.ok(Write::OpenSession { user: alice.clone(), password: Arc::from("alice-hash"), session: new });
        f.now_ms += 5;
        f.ok(rotate(one, 1, 7));
        let read = Read::Sessions { user: alice.clone(), now_ms: f.now_ms };
        let Found::Sessions(sessions) = f.found(&read) else { panic!("not sessions") };
        let told: Vec<_> = sessions
            .iter()
            .map(|s| (s.id, s.created_at.0 - START_MS, s.last_used_at.0 - START_MS))
            .collect();
        assert_eq!(told, [(two, 5, 5), (one, 0, 10)]);
        assert_eq!(sessions[0].client_info, Some(info));
        assert_eq!(sessions[1].client_info, None);
        f.ok(Write::RevokeSession { user: alice.clone(), session: two });
        let Found::Sessions(sessions) = f.found(&read) else { panic!("not sessions") };
        assert_eq!(sessions.iter().map(|s| s.id).collect::<Vec<_>>(), [one]);
        // The one that did not rotate ends first.
        let late = Read::Sessions { user: alice, now_ms: START_MS + 7_200_000 };
        assert_eq!(f.found(&late), Found::Sessions(vec![]));
    }

    fn a_session_is_revoked_by_its_user_only_and_once(f) {
        let alice = user("u-1");
        let one = signed_in(f);
        let bob = f.user("bob");
        let of = |user: &stentor::base::id::UserId| Write::RevokeSession {
            user: user.clone(),
            session: one,
        };
        assert_eq!(f.refused(of(&bob)), Refusal::NoSession);
        assert!(stands(f, Some(one), None));
        assert_eq!(f.ok(of(&alice)), Written::Revoked { sessions: vec![one] });
        assert_eq!(f.ok(of(&alice)), Written::Revoked { sessions: vec![] });
        assert!(!stands(f, Some(one), None));
        let unknown = f.id();
        let write = Write::RevokeSession { user: alice, session: unknown };
        assert_eq!(f.refused(write), Refusal::NoSession);
    }

    fn all_sessions_of_a_user_end_at_once(f) {
        let alice = user("u-1");
        let one = signed_in(f);
        let two = f.id();
        let password = Arc::from("alice-hash");
        f.ok(Write::OpenSession { user: alice.clone(), password, session: session(two, 2) });
        let other = f.id();
        f.ok(register(&user("u-2"), "bob", session(other, 3)));
        let written = f.ok(Write::RevokeSessions { user: alice.clone() });
        assert_eq!(written, Written::Revoked { sessions: vec![one, two] });
        assert_eq!(
            f.ok(Write::RevokeSessions { user: alice }),
            Written::Revoked { sessions: vec![] }
        );
        let read = Read::Standing { user: user("u-2"), session: Some(other), jti: None, issued_s: None, now_ms: 0 };
        assert!(matches!(f.found(&read), Found::Standing { stands: true, .. }));
    }

    fn a_token_without_a_session_can_be_refused(f) {
        f.user("u-1");
        assert!(stands(f, None, Some("j1")));
        let expires_ms = f.now_ms + 1000;
        f.ok(Write::RevokeToken { jti: Arc::from("j1"), expires_ms });
        assert!(!stands(f, None, Some("j1")));
        assert!(stands(f, None, Some("j2")));
        // Its end can be put off, not brought forward; long after it, it is forgotten.
        f.ok(Write::RevokeToken { jti: Arc::from("j1"), expires_ms: 5 });
        assert!(!stands(f, None, Some("j1")));
        f.now_ms = expires_ms + 86_400_000;
        f.ok(Write::RevokeToken { jti: Arc::from("j2"), expires_ms: f.now_ms });
        assert!(stands(f, None, Some("j1")));
        assert!(!stands(f, None, Some("j2")));
    }

    fn a_session_of_another_user_does_not_stand(f) {
        let one = signed_in(f);
        let read = Read::Standing { user: user("u-2"), session: Some(one), jti: None, issued_s: None, now_ms: 0 };
        assert_eq!(f.found(&read), Found::Standing { user: None, stands: false });
    }
    fn what_a_revoked_user_had_stands_no_more_and_what_is_new_does(f) {
        let alice = user("u-1");
        let one = signed_in(f);
        let standing = |f: &mut Fixture, session, issued_s| {
            let (user, now_ms) = (user("u-1"), f.now_ms);
            match f.found(&Read::Standing { user, session, jti: None, issued_s, now_ms }) {
                Found::Standing { stands, .. } => stands,
                other => panic!("{other:?}"),
            }
        };
        let at = f.now_ms / 1000;
        assert!(standing(f, None, None) && standing(f, None, Some(at)));
        let written = f.ok(Write::RevokeUser { user: alice.clone() });
        assert_eq!(written, Written::Revoked { sessions: vec![one] });
        assert!(!standing(f, Some(one), Some(at)));
        assert!(!standing(f, None, None) && !standing(f, None, Some(at)));
        assert!(standing(f, None, Some(at + 1)));
        // Who logs in again is there at once, whatever the second is.
        let two = f.id();
        let password = Arc::from("alice-hash");
        f.ok(Write::OpenSession { user: alice.clone(), password, session: session(two, 2) });
        assert!(standing(f, Some(two), Some(at)));
        f.now_ms += 5000;
        assert_eq!(f.ok(Write::RevokeUser { user: alice }), Written::Revoked { sessions: vec![two] });
        assert!(!standing(f, None, Some(at + 5)) && standing(f, None, Some(at + 6)));
        assert_eq!(f.refused(Write::RevokeUser { user: user("nobody") }), Refusal::NoUser);
    }

    fn a_role_is_what_the_next_token_says(f) {
        let alice = user("u-1");
        let one = signed_in(f);
        let role = |written| match written {
            Written::SignedIn { role, .. } => role,
            other => panic!("{other:?}"),
        };
        assert_eq!(role(f.ok(rotate(one, 1, 2))), Role::User);
        assert_eq!(f.ok(Write::SetRole { user: alice.clone(), role: Role::Admin }), Written::Granted);
        assert_eq!(role(f.ok(rotate(one, 2, 3))), Role::Admin);
        f.ok(Write::RevokeUser { user: alice.clone() });
        let two = f.id();
        let password = Arc::from("alice-hash");
        let again = Write::OpenSession { user: alice.clone(), password, session: session(two, 2) };
        assert_eq!(role(f.ok(again)), Role::Admin, "a revocation takes no role away");
        f.ok(Write::SetRole { user: alice.clone(), role: Role::Service });
        let admitted = f.ok(Write::Admit { user: alice, name: None });
        assert_eq!(role(admitted), Role::Service);
        let nobody = Write::SetRole { user: user("nobody"), role: Role::Admin };
        assert_eq!(f.refused(nobody), Refusal::NoUser);
    }
}
