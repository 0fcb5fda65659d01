//! The link: two byte queues with a latency, cut by a seed; a clock that jumps to what is next.

use std::collections::VecDeque;
use std::time::Duration;

use stentor::base::rng::Rng;
use stentor::protocol::websocket::handshake::client::Request;
use stentor::protocol::websocket::{Config, Connection, ConnectionEvent};

/// Bytes that arrive at a time; none when the sender has ended the stream.
type Flight = (Duration, Option<Vec<u8>>);

/// One end and what is on its way to it.
pub(crate) struct End {
    pub(crate) connection: Connection,
    pub(crate) events: Vec<ConnectionEvent>,
    arriving: VecDeque<Flight>,
    /// Whether this end has ended its stream.
    shut: bool,
}

impl End {
    fn new(connection: Connection) -> Self {
        Self { connection, events: Vec::new(), arriving: VecDeque::new(), shut: false }
    }

    fn drain(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            if matches!(event, ConnectionEvent::Requested(_)) {
                self.connection.accept(Some("chat"), None).unwrap();
            }
            self.events.push(event);
        }
    }
}

/// A client, a server, and what lies between.
pub(crate) struct Pair {
    pub(crate) client: End,
    pub(crate) server: End,
    pub(crate) now: Duration,
    /// While set, what either end sends is lost.
    pub(crate) cut_off: bool,
    /// Planted: every piece loses its second half.
    pub(crate) lossy: bool,
    rng: Rng,
}

impl Pair {
    /// Both ends before the handshake.
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let now = Duration::from_secs(rng.below(1_000_000));
        let request =
            Request { host: "h", target: "/ws", subprotocols: &["chat"], ..Request::default() };
        let config = Config::default();
        let client = Connection::client(config, &request, rng.fork(), now).unwrap();
        let server = Connection::server(config, now);
        let (client, server) = (End::new(client), End::new(server));
        Self { client, server, now, cut_off: false, lossy: false, rng }
    }

    /// Both ends open, their events of that forgotten.
    pub(crate) fn open(seed: u64) -> Self {
        let mut pair = Self::new(seed);
        pair.run();
        assert!(pair.client.connection.is_open() && pair.server.connection.is_open());
        pair.client.events.clear();
        pair.server.events.clear();
        pair
    }

    /// Runs until nothing is on its way and no deadline is left.
    pub(crate) fn run(&mut self) {
        while self.step() {}
    }

    /// Lets both send, then jumps to the next arrival or deadline; false when there is none.
    pub(crate) fn step(&mut self) -> bool {
        let fate = |mut piece: Vec<u8>| {
            piece.truncate(if self.lossy { piece.len().div_ceil(2) } else { piece.len() });
            (!self.cut_off).then_some(piece)
        };
        Self::depart(&mut self.client, &mut self.server, self.now, fate, &mut self.rng);
        Self::depart(&mut self.server, &mut self.client, self.now, fate, &mut self.rng);
        let ends = [&self.client, &self.server];
        let arrivals = ends.iter().filter_map(|end| end.arriving.front().map(|(at, _)| *at));
        let deadlines = ends.iter().filter_map(|end| end.connection.deadline());
        let Some(next) = arrivals.chain(deadlines).min() else { return false };
        self.now = self.now.max(next);
        for end in [&mut self.client, &mut self.server] {
            end.connection.advance(self.now);
            while let Some((_, bytes)) = end.arriving.pop_front_if(|(at, _)| *at <= self.now) {
                match bytes {
                    Some(mut bytes) => end.connection.receive(&mut bytes),
                    None => end.connection.end_of_stream(),
                }
            }
            end.drain();
        }
        true
    }

    /// What `from` has to say goes on its way, in pieces, each a little later.
    /// `fate` says what arrives of a piece.
    fn depart(
        from: &mut End,
        to: &mut End,
        now: Duration,
        fate: impl Fn(Vec<u8>) -> Option<Vec<u8>>,
        rng: &mut Rng,
    ) {
        let mut at = to.arriving.back().map_or(now, |(at, _)| now.max(*at));
        loop {
            let waiting = from.connection.bytes_to_send();
            let longest = 1 + rng.below(300);
            let len = (1 + rng.below(longest) as usize).min(waiting.len());
            let piece = waiting[..len].to_vec();
            from.connection.sent(len);
            if piece.is_empty() {
                break;
            }
            at += Duration::from_micros(rng.below(50_000));
            if let Some(piece) = fate(piece).filter(|_| !from.shut) {
                to.arriving.push_back((at, Some(piece)));
            }
        }
        if from.connection.wants_shutdown() && !from.shut {
            from.shut = true;
            from.connection.end_of_stream();
            from.drain();
            if fate(Vec::new()).is_some() {
                to.arriving.push_back((at, None));
            }
        }
    }
}

/// The code, whether it was clean, and how often the end was told.
pub(crate) fn ending(end: &End) -> (u16, bool, usize) {
    let closed: Vec<(u16, bool)> = end
        .events
        .iter()
        .filter_map(|event| match event {
            ConnectionEvent::Closed { code, clean, .. } => Some((code.0, *clean)),
            _ => None,
        })
        .collect();
    let (code, clean) = closed.first().copied().unwrap_or_default();
    (code, clean, closed.len())
}
