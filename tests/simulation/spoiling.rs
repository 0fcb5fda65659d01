//! Where planted bugs are put into the words between loops and into what is read.

use std::sync::Arc;

use stentor::base::id::Id;
use stentor::router::calls::words::{Answer, CallWord, Called, Verdict};
use stentor::router::words::{Attendance, Delivery, Post, Word};
use stentor::store::Read;

use crate::planted::Planted;
use crate::world::World;

/// One word of so many is spoiled.
const ONE_OF: u64 = 7;

/// What became of a word.
pub(crate) enum Spoiled {
    Not,
    Lost,
    Twice(Word),
    /// It does not wait for those before it.
    Early,
}

impl World {
    /// Whether it is the turn of a planted bug that strikes now and then.
    fn now_and_then(&mut self) -> bool {
        self.server.spoils += 1;
        self.server.spoils.is_multiple_of(ONE_OF)
    }

    fn spoil_delivery(&mut self, delivery: &mut Delivery) -> Spoiled {
        let struck = self.now_and_then();
        match self.plan.planted {
            Some(Planted::DeliveryLost) if struck => return Spoiled::Lost,
            Some(Planted::DeliveryRepeated) if struck => {
                return Spoiled::Twice(Word::Deliver(Box::new(delivery.clone())));
            }
            Some(Planted::ChangeLost) if struck => {
                if matches!(delivery.channel.namespace(), "execution" | "team") {
                    return Spoiled::Lost;
                }
            }
            Some(Planted::WordsOvertake) => return Spoiled::Early,
            Some(Planted::RemovalSkipped) => delivery.left = None,
            _ => {}
        }
        Spoiled::Not
    }

    /// Spoils a word, if that is planted.
    pub(crate) fn spoil_word(&mut self, word: &mut Word) -> Spoiled {
        let Some(planted) = self.plan.planted else { return Spoiled::Not };
        if let Word::Deliver(delivery) = word {
            return self.spoil_delivery(delivery);
        }
        let lost = match (planted, word) {
            (Planted::PresenceLost, Word::Attendance(word)) => {
                matches!(**word, Attendance::Told { .. }) && self.now_and_then()
            }
            (Planted::InboxLost, Word::Post(post)) => {
                matches!(**post, Post::Inbox(_)) && self.now_and_then()
            }
            (Planted::MissedCut, Word::Listening { channels, .. }) => {
                let pages = channels.iter_mut().filter_map(|heard| heard.page.as_mut());
                for page in pages.filter(|page| !page.events.is_empty()) {
                    page.events.remove(0);
                }
                false
            }
            (_, Word::Backend(word)) => return self.spoil_call(planted, word),
            _ => false,
        };
        if lost { Spoiled::Lost } else { Spoiled::Not }
    }

    fn spoil_call(&mut self, planted: Planted, word: &mut CallWord) -> Spoiled {
        match (planted, word) {
            (Planted::CalledTwice, CallWord::Called(called)) if self.now_and_then() => {
                let id = Id(called.id.0 ^ 1);
                let again = CallWord::Called(Called { id, ..called.clone() });
                return Spoiled::Twice(Word::Backend(Box::new(again)));
            }
            (Planted::AnswersMixed, CallWord::Answer { answer: Answer::Data { data, .. }, .. }) => {
                let before = self.server.answer.replace(Arc::clone(data));
                if self.now_and_then()
                    && let Some(before) = before
                {
                    *data = before;
                }
            }
            (
                Planted::AnswerForAll,
                CallWord::Result { verdict: Verdict::Ok { to_all, .. }, .. },
            ) => *to_all = true,
            _ => {}
        }
        Spoiled::Not
    }

    /// What is read, as a planted bug has it.
    pub(crate) fn spoil_read(&self, read: &Read) -> Read {
        let mut read = read.clone();
        if self.plan.planted == Some(Planted::ReadTooLate)
            && let Read::Publications { after: Some(after), .. } = &mut read
        {
            *after += 1;
        }
        read
    }
}
