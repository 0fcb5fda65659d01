//! Words between loops, and what workers hand back.
//!
//! Between loops: a bounded queue for each loop; what does not fit waits with its sender, in order,
//! so no loop ever waits for another and no word overtakes one before it. From workers: an
//! unbounded queue, because a loop that answers itself must not wait either; it holds at most as
//! many entries as there are jobs under way, which whoever takes jobs limits.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};

use super::connection::Stream;
use super::secure::Issuer;
use super::waker::LoopWaker;
use crate::base::id::LoopId;
use crate::engine::Accepted;
use crate::handler::{Handler, Peer};

/// What loops say to each other.
#[derive(Debug)]
pub(crate) enum Word<H: Handler> {
    /// From handler to handler.
    Peer { from: LoopId, message: H::Peer },
    /// A connection that is yours now.
    Arrived(Box<Arrival>),
    /// A connection of `from` is gone; for loop 0.
    Released { from: LoopId, peer: Peer, admitted: bool },
    /// Close everything, spread over this time.
    Drain(Duration),
    /// Encrypt new connections with this.
    Renewed(Arc<dyn Issuer>),
}

/// A connection on its way to its loop.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) stream: Stream,
    pub(crate) accepted: Accepted,
}

/// Where workers bring what they have finished for one loop.
pub struct Mailbox<H: Handler> {
    home: LoopId,
    done: Sender<H::Done>,
    waker: Arc<LoopWaker>,
}

impl<H: Handler> Mailbox<H> {
    /// The loop whose mailbox it is.
    #[must_use]
    pub const fn home(&self) -> LoopId {
        self.home
    }

    /// Hands `done` to the loop; never blocks, and what is delivered by one thread stays in order.
    /// Once the loop has ended there is nobody to tell, and nothing happens.
    pub fn deliver(&self, done: H::Done) {
        if self.done.send(done).is_ok() {
            self.waker.wake();
        }
    }
}

impl<H: Handler> Clone for Mailbox<H> {
    fn clone(&self) -> Self {
        Self { home: self.home, done: self.done.clone(), waker: self.waker.clone() }
    }
}

impl<H: Handler> fmt::Debug for Mailbox<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("home", &self.home).finish_non_exhaustive()
    }
}

/// Where a loop finds what it is told.
#[derive(Debug)]
pub(crate) struct Inbox<H: Handler> {
    pub(super) words: Receiver<Word<H>>,
    pub(super) done: Receiver<H::Done>,
    pub(super) waker: Arc<LoopWaker>,
}

impl<H: Handler> Inbox<H> {
    /// Whether something waits.
    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.done.is_empty()
    }
}

/// The way to one loop.
#[derive(Debug)]
struct Outlet<H: Handler> {
    words: Sender<Word<H>>,
    waker: Arc<LoopWaker>,
    spill: VecDeque<Word<H>>,
    /// Something was sent since the loop was woken.
    touched: bool,
}

impl<H: Handler> Outlet<H> {
    /// Returns whether the word had to wait.
    fn push(&mut self, word: Word<H>) -> bool {
        if !self.spill.is_empty() {
            self.spill.push_back(word);
            return true;
        }
        match self.words.try_send(word) {
            Ok(()) => self.touched = true,
            Err(TrySendError::Full(word)) => {
                self.spill.push_back(word);
                return true;
            }
            // That loop has ended, and with it everything a word could be about.
            Err(TrySendError::Disconnected(_)) => {}
        }
        false
    }

    fn flush(&mut self) {
        while let Some(word) = self.spill.pop_front() {
            match self.words.try_send(word) {
                Ok(()) => self.touched = true,
                Err(TrySendError::Full(word)) => {
                    self.spill.push_front(word);
                    break;
                }
                Err(TrySendError::Disconnected(_)) => self.spill.clear(),
            }
        }
        if std::mem::take(&mut self.touched) {
            self.waker.wake();
        }
    }
}

/// The ways of one loop to all, itself included.
#[derive(Debug)]
pub(crate) struct Outlets<H: Handler> {
    here: LoopId,
    /// What the loop says to itself.
    pub(super) own: VecDeque<Word<H>>,
    all: Vec<Outlet<H>>,
}

impl<H: Handler> Outlets<H> {
    /// Says `word` to a loop; returns whether it has to wait here for room there.
    pub(super) fn push(&mut self, to: LoopId, word: Word<H>) -> bool {
        if to == self.here {
            self.own.push_back(word);
            return false;
        }
        let Some(outlet) = self.all.get_mut(usize::from(to.0)) else {
            log::error!("a word for loop {}, which does not exist", to.0);
            return false;
        };
        outlet.push(word)
    }

    /// Sends on what had to wait, as far as there is room, and wakes each loop that got something.
    pub(super) fn flush(&mut self) {
        self.all.iter_mut().for_each(Outlet::flush);
    }

    /// Whether words still wait for room.
    pub(super) fn is_spilling(&self) -> bool {
        self.all.iter().any(|outlet| !outlet.spill.is_empty())
    }

    /// The other loops.
    pub(super) fn others(&self) -> impl Iterator<Item = LoopId> + use<H> {
        let here = self.here;
        (0..self.all.len()).map(|at| LoopId(at as u16)).filter(move |to| *to != here)
    }
}

/// Joins loops, given their wakers, each with every other: queues of `words_max`.
pub(crate) fn join<H: Handler>(
    wakers: &[Arc<LoopWaker>],
    words_max: usize,
) -> Vec<(Inbox<H>, Outlets<H>, Mailbox<H>)> {
    let ways: Vec<_> = wakers.iter().map(|_| (bounded(words_max), unbounded())).collect();
    let outlet = |((sender, _), waker): (&(Sender<_>, _), &Arc<LoopWaker>)| Outlet {
        words: sender.clone(),
        waker: waker.clone(),
        spill: VecDeque::new(),
        touched: false,
    };
    let seat = |(at, waker): (usize, &Arc<LoopWaker>)| {
        let ((_, words), (done_sender, done)) = ways[at].clone();
        let here = LoopId(at as u16);
        let all = ways.iter().map(|way| &way.0).zip(wakers).map(outlet).collect();
        (
            Inbox { words, done, waker: waker.clone() },
            Outlets { here, own: VecDeque::new(), all },
            Mailbox { home: here, done: done_sender, waker: waker.clone() },
        )
    };
    wakers.iter().enumerate().map(seat).collect()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use mio::{Events, Poll, Token};

    use super::*;
    use crate::base::id::ConnectionId;
    use crate::handler::{Context, Message};

    #[derive(Debug)]
    struct Numbers;

    impl Handler for Numbers {
        type Job = Infallible;
        type Done = u32;
        type Peer = u32;
        type Timer = ();

        fn message(&mut self, _: &mut Context<'_, Self>, _: ConnectionId, _: Message<'_>) {}
    }

    type Seat = (Poll, Inbox<Numbers>, Outlets<Numbers>, Mailbox<Numbers>);

    fn two_loops(words_max: usize) -> [Seat; 2] {
        let polls = [Poll::new().unwrap(), Poll::new().unwrap()];
        let wakers: Vec<_> = polls
            .iter()
            .map(|poll| Arc::new(LoopWaker::new(poll.registry(), Token(0)).unwrap()))
            .collect();
        let mut seats = polls.into_iter().zip(join(&wakers, words_max));
        std::array::from_fn(|_| {
            let (poll, (inbox, outlets, mailbox)) = seats.next().unwrap();
            (poll, inbox, outlets, mailbox)
        })
    }

    fn hear(inbox: &Inbox<Numbers>, heard: &mut Vec<u32>) {
        inbox.waker.clear();
        for word in inbox.words.try_iter() {
            let Word::Peer { from: LoopId(0), message } = word else { panic!("{word:?}") };
            heard.push(message);
        }
    }

    fn wakes(poll: &mut Poll) -> usize {
        let mut events = Events::with_capacity(8);
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        events.iter().count()
    }

    #[test]
    fn order_is_kept_though_words_spill() {
        let [(_, _, mut here, _), (_, inbox, _, _)] = two_loops(4);
        let (mut heard, mut spilled) = (Vec::new(), 0);
        for number in 0..100u32 {
            let word = Word::Peer { from: LoopId(0), message: number };
            spilled += u32::from(here.push(LoopId(1), word));
            // The receiver makes room now and then, so that a later word would find it.
            if number % 7 == 0 {
                hear(&inbox, &mut heard);
            }
            if number % 10 == 0 {
                here.flush();
            }
        }
        assert!(spilled > 50 && here.is_spilling(), "{spilled}");
        while here.is_spilling() {
            here.flush();
            hear(&inbox, &mut heard);
        }
        hear(&inbox, &mut heard);
        assert_eq!(heard, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_batch_wakes_once_and_the_next_again() {
        let [(_, _, mut here, _), (mut poll, inbox, _, mailbox)] = two_loops(64);
        let mut heard = Vec::new();
        for round in 0..3 {
            for number in 0..9 {
                here.push(LoopId(1), Word::Peer { from: LoopId(0), message: number });
            }
            assert_eq!(wakes(&mut poll), 0, "nobody is woken before the batch is complete");
            here.flush();
            mailbox.deliver(round);
            assert_eq!(wakes(&mut poll), 1);
            assert_eq!(wakes(&mut poll), 0);
            hear(&inbox, &mut heard);
            assert_eq!(inbox.done.try_iter().collect::<Vec<_>>(), [round]);
            assert!(inbox.is_empty());
        }
        assert_eq!(heard.len(), 27);
    }

    #[test]
    fn words_for_oneself_and_for_the_departed() {
        let [(_, _, mut here, own), (poll, inbox, there, mailbox)] = two_loops(1);
        here.push(LoopId(0), Word::Drain(Duration::ZERO));
        assert_eq!((here.own.len(), own.home()), (1, LoopId(0)));
        assert_eq!(here.others().collect::<Vec<_>>(), [LoopId(1)]);
        for message in 0..3 {
            here.push(LoopId(1), Word::Peer { from: LoopId(0), message });
        }
        drop((poll, inbox, there));
        here.flush();
        assert!(!here.is_spilling(), "nothing is kept for a loop that has ended");
        mailbox.deliver(1);
        assert!(!here.push(LoopId(9), Word::Drain(Duration::ZERO)));
    }
}
