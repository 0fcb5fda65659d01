//! What loop 0 has alone: the listeners, who may come in and to which loop, and the end of it all.
//!
//! Loop 0 knows how many connections every loop has, because it handed them out and is told of each
//! that is gone; so the load needs no shared counter. The one number it shares is the count that a
//! handle can ask for. A drain passes through here, so that every loop hears of it after the last
//! connection it was handed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::Receiver;

use super::admission::{Admission, Verdict};
use super::connection::Stream;
use super::listener::Acceptor;
use super::mailbox::Arrival;
use super::metrics::Metrics;
use super::renewal::{Renewed, Renewer};
use super::secure::Issuer;
use super::signals::Signals;
use super::{Arrivals, Config};
use crate::base::id::LoopId;
use crate::base::now::Now;
use crate::engine::Accepted;
use crate::handler::Peer;

/// What a handle asks for.
#[derive(Debug)]
pub(crate) enum Control {
    /// Close everything, spread over this time, then stop.
    Drain(Duration),
    /// Read certificate and key again.
    Renew,
    /// They were read.
    Renewed(Renewed),
}

/// What there is only once.
pub(crate) struct Front {
    pub(super) acceptor: Acceptor,
    signals: Option<Signals>,
    /// Their pipe has something to read.
    pub(super) signalled: bool,
    admission: Box<dyn Admission>,
    control: Receiver<Control>,
    renewer: Option<Renewer>,
    /// What new connections are to be encrypted with, until the loops are told.
    pub(super) renewed: Option<Arc<dyn Issuer>>,
    config: Config,
    /// Connections of each loop, the refused included.
    loads: Vec<usize>,
    admitted: usize,
    refused: usize,
    /// The same for other threads to see.
    count: Arc<AtomicUsize>,
    /// Draining, until this time at most.
    drain_until: Option<Duration>,
    sockets: Vec<(Stream, Peer)>,
}

impl Front {
    pub(crate) fn new(
        acceptor: Acceptor,
        admission: Box<dyn Admission>,
        control: Receiver<Control>,
        count: Arc<AtomicUsize>,
        loops: usize,
        config: Config,
    ) -> Self {
        Self {
            acceptor,
            signals: None,
            signalled: false,
            admission,
            control,
            renewer: None,
            renewed: None,
            config,
            loads: vec![0; loops],
            admitted: 0,
            refused: 0,
            count,
            drain_until: None,
            sockets: Vec::new(),
        }
    }

    pub(crate) fn watch(&mut self, signals: Signals) {
        self.signals = Some(signals);
    }

    pub(crate) fn renew_by(&mut self, renewer: Renewer) {
        self.renewer = Some(renewer);
    }

    /// When something is to be done here though nothing happens.
    pub(super) fn due(&self) -> Option<Duration> {
        [self.acceptor.due(), self.drain_until].into_iter().flatten().min()
    }

    /// Accepts who waits, and says to which loop each goes.
    pub(super) fn accept(&mut self, now: Now, metrics: &Metrics, arrivals: &mut Arrivals) {
        let mut sockets = std::mem::take(&mut self.sockets);
        self.acceptor.accept(now.monotonic, metrics, &mut sockets);
        for (stream, peer) in sockets.drain(..) {
            metrics.accepted.add(1);
            let refused = match self.judge(now, peer) {
                Verdict::Admitted => None,
                Verdict::Refused(close) if self.refused < self.config.refusals_max => Some(close),
                Verdict::Refused(_) | Verdict::Dropped => {
                    metrics.dropped.add(1);
                    continue;
                }
            };
            if refused.is_some() {
                metrics.refused.add(1);
                self.refused += 1;
            } else {
                self.admitted += 1;
            }
            let to = self.idlest();
            self.loads[to] += 1;
            let accepted = Accepted { peer, refused };
            arrivals.push((LoopId(to as u16), Arrival { stream, accepted }));
        }
        self.sockets = sockets;
        self.tell();
    }

    fn judge(&mut self, now: Now, peer: Peer) -> Verdict {
        if self.admitted >= self.config.connections_max {
            return Verdict::Refused(self.config.full.clone());
        }
        self.admission.admit(now, peer)
    }

    /// The loop with the fewest connections.
    fn idlest(&self) -> usize {
        let loads = self.loads.iter().enumerate();
        loads.min_by_key(|(_, load)| **load).map_or(0, |(at, _)| at)
    }

    /// A connection of `from` is gone.
    pub(super) fn released(&mut self, now: Now, from: LoopId, peer: Peer, admitted: bool) {
        if let Some(load) = self.loads.get_mut(usize::from(from.0)) {
            *load = load.saturating_sub(1);
        }
        if admitted {
            self.admitted = self.admitted.saturating_sub(1);
            self.admission.released(now, peer);
        } else {
            self.refused = self.refused.saturating_sub(1);
        }
        self.tell();
    }

    fn tell(&self) {
        self.count.store(self.admitted, Ordering::Relaxed);
    }

    /// What was asked for by handles: over how long to drain, when that begins now.
    pub(super) fn asked(&mut self, now: Now) -> Option<Duration> {
        let mut drain = None;
        while let Ok(control) = self.control.try_recv() {
            match control {
                Control::Drain(over) => drain = Some(over),
                Control::Renew => self.renew(),
                Control::Renewed(renewed) => {
                    self.renewed = self.renewer.as_mut().and_then(|by| by.take(renewed));
                }
            }
        }
        self.drain(now, drain?)
    }

    fn renew(&mut self) {
        if let Some(renewer) = &mut self.renewer {
            renewer.begin();
        }
    }

    /// What was asked for by signals: the first drains, the second stops.
    pub(super) fn heed_signals(&mut self, now: Now) -> Signalled {
        if !std::mem::take(&mut self.signalled) {
            return Signalled::Nothing;
        }
        let (came, hang_up) = self.signals.as_mut().map_or((0, false), Signals::take);
        if hang_up {
            self.renew();
        }
        match came {
            0 => Signalled::Nothing,
            1 => {
                self.drain(now, self.config.drain_spread).map_or(Signalled::Stop, Signalled::Drain)
            }
            _ => Signalled::Stop,
        }
    }

    fn drain(&mut self, now: Now, over: Duration) -> Option<Duration> {
        if self.drain_until.is_some() {
            return None;
        }
        log::info!("draining {} connections", self.admitted);
        self.drain_until = Some(now.plus(self.config.drain_max));
        self.acceptor.close();
        Some(over)
    }

    /// Whether a drain has come to its end: nobody is left, or its time is over.
    pub(super) fn is_drained(&self, now: Now) -> bool {
        let left = self.admitted + self.refused;
        self.drain_until.is_some_and(|until| left == 0 || until <= now.monotonic)
    }
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front")
            .field("loads", &self.loads)
            .field("drain_until", &self.drain_until)
            .finish_non_exhaustive()
    }
}

/// What signals ask for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Signalled {
    Nothing,
    Drain(Duration),
    Stop,
}
