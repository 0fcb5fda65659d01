//! What clients ask for once somebody is there: every verb, some of it wrong on purpose.

use serde_json::{Value, json};

use crate::client::{Io, Kind};
use crate::model::Least;
use crate::workload::Wish;
use crate::world::World;

/// Requests that are refused, whoever asks; each has a type.
const WRONG: [&str; 6] = [
    r#"{"type":"mesage","content":"x"}"#,
    r#"{"type":"message","content":7}"#,
    r#"{"type":"subscribe"}"#,
    r#"{"type":"subscribe","channel":"no such space"}"#,
    r#"{"type":"publish","channel":"public:a","payload":1,"event":"bye"}"#,
    r#"{"type":"join_room","room_id":"7"}"#,
];

/// What is no JSON; on lines a word may be meant.
const NO_JSON: [&str; 3] = [r#"{"type":"ping""#, r#"{"type":"ping","type":"ping"}"#, "[1]"];

impl World {
    /// One to many requests at once.
    pub(crate) fn ask_for_a_few(&mut self, c: usize) {
        let count = 1 + self.rng.below(self.plan.pipeline);
        let mut wishes: Vec<Wish> = Vec::new();
        for _ in 0..count {
            wishes.push(self.wish(c));
            let alone = matches!(
                wishes.last(),
                Some((
                    _,
                    Kind::Logout { .. }
                        | Kind::Refresh
                        | Kind::Password { .. }
                        | Kind::Revoke { .. }
                ))
            );
            if alone {
                break;
            }
        }
        self.ask(c, wishes);
    }

    fn chat(&mut self) -> Option<String> {
        let chats = &self.model.chats;
        let at = self.rng.below(chats.len() as u64) as usize;
        chats.get(at).cloned()
    }

    fn somebody(&mut self) -> String {
        let at = self.rng.below(self.people.len() as u64) as usize;
        self.people[at].id.clone().unwrap_or_else(|| "nobody".to_owned())
    }

    fn public(&mut self) -> String {
        format!("public:{}", self.rng.below(3))
    }

    fn wish(&mut self, c: usize) -> Wish {
        if let Some(wish) = self.hub_wish(c) {
            return wish;
        }
        let Some(chat) = self.chat() else { return self.new_chat() };
        match self.rng.below(100) {
            0..36 => self.new_message(c, Some(chat)),
            36..40 => self.new_message(c, None),
            40..43 => self.new_chat(),
            43..60 => self.about_chat(chat),
            60..64 => (json!({"type": "typing", "chat_id": chat}), Kind::Other),
            64..72 => {
                let (least, latest) =
                    (self.model.newest.get(&chat).copied(), self.rng.below(2) == 0);
                let mut wish = json!({"type": "get_messages", "chat_id": chat});
                if !latest {
                    wish["after_seq"] = json!(self.rng.below(9));
                    wish["limit"] = json!(self.rng.below(20));
                }
                let seen = self.clients[c].newest_seen(&chat);
                let least = Least { latest, acked: least.unwrap_or(0), seen };
                (wish, Kind::Page { chat, least })
            }
            72..88 => self.about_channels(c),
            88..92 => self.about_messages(),
            92..94 => self.wrong(c),
            _ => self.about_accounts(c),
        }
    }

    fn new_chat(&mut self) -> Wish {
        let (one, other, op) = (self.somebody(), self.somebody(), self.next_op());
        let wish = match self.rng.below(3) {
            0 => json!({"type": "create_dm", "other_user_id": one}),
            1 => json!({"type": "create_group", "group_name": format!("g{op}"),
                        "member_ids": [one, other]}),
            _ => json!({"type": "create_room", "name": format!("r{op}"), "visibility": "public",
                        "metadata": {"op": op}}),
        };
        (wish, Kind::Chat)
    }

    fn about_chat(&mut self, chat: String) -> Wish {
        let user = self.somebody();
        match self.rng.below(17) {
            0..7 => (json!({"type": "join_room", "room_id": chat}), Kind::Chat),
            7..9 => (json!({"type": "leave_room", "room_id": chat.clone()}), Kind::Leave { chat }),
            9..12 => {
                (json!({"type": "add_members", "chat_id": chat, "user_ids": [user]}), Kind::Chat)
            }
            12..14 => {
                let wish = json!({"type": "remove_member", "chat_id": chat, "user_id": user});
                (wish, Kind::Other)
            }
            14..16 => {
                let name = format!("n{}", self.next_op());
                (json!({"type": "update_chat", "chat_id": chat, "name": name}), Kind::Chat)
            }
            _ => {
                let seq = self.rng.below(30);
                (json!({"type": "mark_read", "chat_id": chat, "seq": seq}), Kind::Other)
            }
        }
    }

    fn about_messages(&mut self) -> Wish {
        let at = self.rng.below(self.model.messages.len() as u64) as usize;
        let Some((id, _)) = self.model.messages.get(at).cloned() else {
            return (json!({"type": "heartbeat"}), Kind::Other);
        };
        if self.rng.below(2) == 0 {
            (json!({"type": "delete_message", "message_id": id}), Kind::Other)
        } else {
            let content = format!("edited {}", self.next_op());
            (json!({"type": "edit_message", "message_id": id, "content": content}), Kind::Other)
        }
    }

    fn about_channels(&mut self, c: usize) -> Wish {
        let channel = self.public();
        match self.rng.below(8) {
            0..2 => self.subscribe(c, channel),
            2 => {
                (json!({"type": "unsubscribe", "channel": channel}), Kind::Unsubscribe { channel })
            }
            _ => self.new_publication(c, channel, false),
        }
    }

    /// From where it is, or was left by another connection, or from now on.
    pub(crate) fn subscribe(&mut self, c: usize, channel: String) -> Wish {
        // In one of them nobody wants to know who is there.
        let presence = channel != "public:2";
        let mut wish = json!({"type": "subscribe", "channel": channel, "presence": presence});
        let client = &self.clients[c];
        let stands = client.subscriptions.get(&channel).map(|s| (s.epoch.clone(), s.last));
        let since = stands.or_else(|| client.places.get(&channel).cloned());
        let since = since.filter(|_| self.rng.below(2) == 0);
        if let Some((epoch, offset)) = &since {
            wish["since"] = json!({"offset": offset, "epoch": epoch});
        }
        let least = self.model.publications.newest(&channel);
        (wish, Kind::Subscribe { channel, since, least })
    }

    fn wrong(&mut self, c: usize) -> Wish {
        if self.rng.below(2) == 0 {
            let wrong = WRONG[self.rng.below(WRONG.len() as u64) as usize];
            let wrong = serde_json::from_str(wrong).expect("it is JSON");
            if self.clients[c].speech.has(&wrong) {
                return (wrong, Kind::Bad);
            }
        }
        if matches!(self.clients[c].io, Io::Lines(_)) && self.rng.below(2) == 0 {
            return (Value::from("Ping"), Kind::Other);
        }
        (Value::from(NO_JSON[self.rng.below(NO_JSON.len() as u64) as usize]), Kind::Bad)
    }

    fn about_accounts(&mut self, c: usize) -> Wish {
        let me = self.clients[c].user;
        match self.rng.below(20) {
            0 => {
                let everywhere = self.rng.below(2) == 0;
                let wish = json!({"type": "logout", "everywhere": everywhere});
                (wish, Kind::Logout { everywhere })
            }
            1 => {
                let new = format!("password-{}", self.next_op());
                let old = self.people[me].passwords[0].clone();
                let wish =
                    json!({"type": "change_password", "old_password": old, "new_password": new});
                (wish, Kind::Password { new })
            }
            2 => {
                let mine = |(_, (whose, _)): &(&String, &(usize, _))| *whose == me;
                let sessions: Vec<&String> =
                    self.model.sessions.iter().filter(mine).map(|(session, _)| session).collect();
                let at = self.rng.below(sessions.len() as u64) as usize;
                let session = sessions.get(at).map(|session| (*session).clone());
                let session = session.unwrap_or_else(|| "none".to_owned());
                let wish = json!({"type": "revoke_session", "session_id": session.clone()});
                (wish, Kind::Revoke { session })
            }
            3..6 => match self.clients[c].refresh.clone() {
                Some(token) => (json!({"type": "refresh", "refresh_token": token}), Kind::Refresh),
                None => (json!({"type": "whoami"}), Kind::Other),
            },
            6..9 => (json!({"type": "search_users", "query": "user"}), Kind::Other),
            9..12 => (json!({"type": "get_user_chats"}), Kind::Other),
            12..14 => (json!({"type": "list_rooms", "limit": 2}), Kind::Other),
            14..16 => (json!({"type": "sessions"}), Kind::Other),
            16..18 => (json!({"type": "whoami"}), Kind::Other),
            _ => (json!({"type": "heartbeat"}), Kind::Other),
        }
    }
}
