//! What clients do: sign in, ask for a few things at once, stop reading, break off, come back.

use serde_json::{Value, json};
use stentor::protocol::websocket::CloseCode;

use crate::client::{Io, Kind, Pending};
use crate::faults::Fault;
use crate::link::Piece;
use crate::model::Sent;
use crate::returning::written;
use crate::world::{Event, Phase, World};

/// A request and what its reply will mean.
pub(crate) type Wish = (Value, Kind);

impl World {
    /// A client does something, whatever there is to do.
    pub(crate) fn act(&mut self, c: usize) {
        if self.is_visiting(c) {
            return self.visit(c);
        }
        match self.phase {
            Phase::Storm => {
                self.storm(c);
                if self.clients[c].pipe.is_some() {
                    let think = self.plan.delays.think;
                    self.schedule(10 * think, Event::Act(c));
                }
            }
            Phase::Heal => self.recover(c),
            Phase::Leave => self.go(c),
        }
    }

    fn storm(&mut self, c: usize) {
        if self.waits(c) {
            return;
        }
        if self.strikes(Fault::BreakOff) {
            return self.go(c);
        }
        if matches!(self.clients[c].io, Io::Lines(_)) && self.strikes(Fault::HalfClose) {
            return self.half_close(c);
        }
        if !self.clients[c].stalled && self.strikes(Fault::SlowReader) {
            self.clients[c].stalled = true;
            self.schedule(12_000_000, Event::ReadOn(c));
        }
        if self.clients[c].period.is_none() {
            return self.sign_in(c);
        }
        if self.clients[c].pending.len() < 40 {
            self.ask_for_a_few(c);
        }
    }

    /// Whether there is nothing it could send now.
    fn waits(&mut self, c: usize) -> bool {
        if self.clients[c].pipe.is_none() {
            if self.clients[c].wait_until <= self.now.monotonic {
                self.connect(c);
                self.schedule(20_000, Event::Act(c));
            }
            return true;
        }
        let client = &self.clients[c];
        let busy = client.alone || client.leaving || client.closed.is_some();
        busy || !self.is_open(c) || client.wait_until > self.now.monotonic
    }

    fn recover(&mut self, c: usize) {
        if self.waits(c) {
            let (client, now) = (&self.clients[c], self.now.monotonic);
            let over = client.closed.is_some() || client.leaving;
            if client.wait_until > now && (client.pipe.is_none() || !over) {
                self.schedule_at(client.wait_until, Event::Act(c));
            }
            return;
        }
        if self.clients[c].period.is_none() {
            return self.sign_in(c);
        }
        if self.clients[c].pending.is_empty() && !self.clients[c].unacked.is_empty() {
            let wishes = self.retries(c);
            self.ask(c, wishes);
        }
    }

    /// Breaks off, in one of the ways there are.
    fn go(&mut self, c: usize) {
        let Some(pipe) = self.clients[c].pipe else { return };
        if self.clients[c].leaving {
            return;
        }
        self.clients[c].leaving = true;
        let (way, open) = (self.rng.below(4), self.is_open(c));
        match &mut self.clients[c].io {
            Io::Lines(_) if way == 0 => {
                self.ask(c, vec![(Value::from("QUIT"), Kind::Quit)]);
            }
            Io::Lines(_) if way < 3 => self.half_close(c),
            Io::WebSocket(connection) if way < 3 && open => {
                connection.close(CloseCode::NORMAL, "").expect("the connection is open");
                self.flush(c);
            }
            _ => {
                self.end_up(pipe, Piece::Reset);
                self.gone(c, true);
            }
        }
    }

    /// Ends its side, and waits for every reply.
    fn half_close(&mut self, c: usize) {
        self.clients[c].leaving = true;
        self.clients[c].half_closed = Some(self.now.monotonic);
        if let Some(pipe) = self.clients[c].pipe {
            self.end_up(pipe, Piece::End);
        }
    }

    fn sign_in(&mut self, c: usize) {
        if self.clients[c].pending.iter().any(|pending| matches!(pending.kind, Kind::SignIn { .. }))
        {
            return;
        }
        let person = &self.people[self.clients[c].user];
        let (name, password) = (person.name.clone(), person.passwords[0].clone());
        let token = self.clients[c].token.clone();
        let mut wish = match (&person.minted, token) {
            (Some(token), _) => json!({"type": "auth", "token": token}),
            (None, Some(token)) if self.rng.below(2) == 0 => {
                json!({"type": "auth", "token": token})
            }
            _ if !person.registered => {
                json!({"type": "register", "username": name, "password": password})
            }
            _ => json!({"type": "login", "username": name.to_uppercase(), "password": password,
                        "client_info": {"client_id": format!("device{c}")}}),
        };
        let (resume, mailbox) = (self.resumes(c), self.mailbox(c));
        if self.plan.hub.is_some() {
            wish["resume"] = written(&resume);
            wish["acks"] = json!(mailbox.acks);
            wish["client_info"] = json!({"client_id": mailbox.device, "version": "1"});
        }
        let mut wishes = vec![(wish, Kind::SignIn { resume, mailbox })];
        if self.rng.below(3) == 0 {
            // Nobody has to wait for the ok before asking.
            wishes.push((json!({"type": "get_user_chats"}), Kind::Other));
            wishes.push((json!({"type": "ping"}), Kind::Other));
        }
        wishes.extend(self.retries(c));
        self.ask(c, wishes);
    }

    /// Messages and publications whose fate is not known, once more.
    fn retries(&mut self, c: usize) -> Vec<Wish> {
        let waiting = |op: &u64| {
            let sent = |p: &Pending| match p.kind {
                Kind::Message { op: known } | Kind::Publish { op: known, .. } => known == *op,
                _ => false,
            };
            !self.clients[c].pending.iter().any(sent)
        };
        let ops: Vec<u64> = self.clients[c].unacked.iter().copied().filter(waiting).collect();
        ops.into_iter().map(|op| self.again(c, op)).collect()
    }

    fn again(&mut self, c: usize, op: u64) -> Wish {
        if self.model.publications.asked.contains_key(&op) {
            return self.publication(c, op);
        }
        self.message_wish(op)
    }

    pub(crate) fn message_wish(&mut self, op: u64) -> Wish {
        let sent = self.model.sent.get_mut(&op).expect("it was made before");
        sent.attempts += 1;
        let mut wish = json!({"type": "message", "content": sent.content});
        match (&sent.chat, &sent.client_id) {
            (Some(chat), _) => wish["chat_id"] = json!(chat),
            (None, _) => {
                let other = (sent.user + 1) % self.people.len();
                wish["to"] = json!(self.people[other].name);
            }
        }
        if let Some(client_id) = &sent.client_id {
            wish["client_id"] = json!(client_id);
        }
        (wish, Kind::Message { op })
    }

    /// A message that was not sent before.
    pub(crate) fn new_message(&mut self, c: usize, chat: Option<String>) -> Wish {
        let op = self.next_op();
        let strange = ["", " \n{\"type\":\"bye\"}\n", " \u{1}\u{7f}\u{2028}", " é𝄞\\\"/"];
        let padding = if self.rng.below(12) == 0 { self.rng.below(4000) as usize } else { 0 };
        let content = format!("{op}{}{}", strange[self.rng.below(4) as usize], "x".repeat(padding));
        let named = self.rng.below(5) > 0;
        let sent = Sent {
            user: self.clients[c].user,
            pipe: self.clients[c].pipe.unwrap_or_default(),
            chat,
            client_id: named.then(|| format!("c{op}")),
            content,
            first_at: self.now.monotonic,
            attempts: 0,
            unknown: false,
            ack: None,
        };
        self.model.sent.insert(op, sent);
        if named {
            self.clients[c].unacked.push_back(op);
        }
        self.message_wish(op)
    }

    /// Sends requests with their ids, without waiting.
    pub(crate) fn ask(&mut self, c: usize, wishes: Vec<Wish>) {
        let mut texts = Vec::new();
        for (mut text, kind) in wishes {
            let kind = match kind {
                Kind::Call(ringing) => {
                    texts.extend(self.rings(c, text, ringing));
                    continue;
                }
                kind => kind,
            };
            let alone = matches!(
                kind,
                Kind::Logout { .. } | Kind::Refresh | Kind::Password { .. } | Kind::Revoke { .. }
            );
            let (word, request_id) = self.expect(c, &mut text, &kind);
            let pending = Pending { word, request_id, kind, at: self.now.monotonic };
            self.clients[c].pending.push_back(pending);
            self.clients[c].alone |= alone;
            texts.push(text);
        }
        self.send_texts(c, &texts);
    }

    /// What the reply will be called; most requests get an id.
    fn expect(&mut self, c: usize, text: &mut Value, kind: &Kind) -> (String, Option<Value>) {
        if let Some(raw) = text.as_str() {
            let word = match raw {
                "QUIT" => "quit",
                "Ping" => "ping",
                _ => "error",
            };
            return (word.to_owned(), None);
        }
        let op = self.next_op();
        let id = match self.rng.below(4) {
            0 if !matches!(kind, Kind::Bad) => None,
            1 if !self.clients[c].speech.is_binary() => Some(json!(op)),
            _ => Some(json!(format!("r\"{op}"))),
        };
        if let Some(id) = &id {
            text["request_id"] = id.clone();
        }
        let word = text["type"].as_str().unwrap_or("error").to_owned();
        (word, id)
    }

    pub(crate) fn next_op(&mut self) -> u64 {
        self.model.ops += 1;
        self.model.ops
    }
}
