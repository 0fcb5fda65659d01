//! Jobs on workers, and loops that talk to each other.

use std::sync::Arc;

use stentor::base::id::{Address, ConnectionId, LoopId};
use stentor::handler::{Context, Handler, Message};
use stentor::net::{Batch, Batcher, Mailbox, Pool};
use stentor::server::Server;

use crate::support::{Client, Running, reply};

/// `job N` has N doubled by a worker, `batch N` by the batcher; `tell N` asks every loop for a word.
struct Clerk {
    here: LoopId,
    loops: u16,
}

#[derive(Debug)]
enum Job {
    Double(ConnectionId, u64),
    Batched(ConnectionId, u64),
}

#[derive(Debug)]
enum Word {
    Asked(Address, u64),
    Answered(ConnectionId, String),
}

impl Handler for Clerk {
    type Job = Job;
    type Done = (ConnectionId, u64);
    type Peer = Word;
    type Timer = ();

    fn message(&mut self, cx: &mut Context<'_, Self>, from: ConnectionId, message: Message<'_>) {
        let text = str::from_utf8(message.bytes).unwrap();
        let (verb, number) = text.split_once(' ').unwrap();
        let number = number.parse().unwrap();
        match verb {
            "job" => cx.job(Job::Double(from, number)),
            "batch" => cx.job(Job::Batched(from, number)),
            _ => {
                let asker = Address { home: self.here, connection: from };
                (0..self.loops).for_each(|to| cx.tell(LoopId(to), Word::Asked(asker, number)));
            }
        }
    }

    fn done(&mut self, cx: &mut Context<'_, Self>, (to, number): Self::Done) {
        reply(cx, to, &number.to_string());
    }

    fn peer(&mut self, cx: &mut Context<'_, Self>, from: LoopId, word: Word) {
        match word {
            Word::Asked(asker, number) => {
                assert_eq!(from, asker.home);
                let text = format!("{} {number}", self.here.0);
                cx.tell(asker.home, Word::Answered(asker.connection, text));
            }
            Word::Answered(to, text) => reply(cx, to, &text),
        }
    }
}

/// Doubles in batches.
struct Doubler(Vec<Mailbox<Clerk>>);

impl Batch<(LoopId, ConnectionId, u64)> for Doubler {
    fn run(&mut self, batch: &mut Vec<(LoopId, ConnectionId, u64)>) {
        for (home, to, number) in batch.drain(..) {
            self.0[usize::from(home.0)].deliver((to, number * 2));
        }
    }
}

fn start(loops: u16, words_max: usize) -> Running {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = stentor::net::Config {
        words_max,
        raise_descriptors: false,
        ..stentor::net::Config::default()
    };
    let server = Server::builder(move |here| Clerk { here, loops })
        .listener(listener)
        .loops(usize::from(loops))
        .config(config, crate::support::roomy())
        .workers(|mailboxes| {
            let batcher = Batcher::start("batcher", 100_000, 1024, Doubler(mailboxes.clone()))?;
            let work = move |(home, to, number): (LoopId, ConnectionId, u64)| {
                mailboxes[usize::from(home.0)].deliver((to, number * 2));
            };
            let pool = Pool::start("pool", 100_000, vec![work])?;
            Ok(Arc::new(move |job: Job, from: LoopId| match job {
                Job::Double(to, number) => pool.try_submit((from, to, number)).unwrap(),
                Job::Batched(to, number) => batcher.try_submit((from, to, number)).unwrap(),
            }))
        });
    Running::start(server)
}

#[test]
fn jobs_come_back_to_the_loop_they_came_from_in_order() {
    let server = start(2, 4096);
    for verb in ["job", "batch"] {
        let mut clients: Vec<Client> = (0..4).map(|_| server.client()).collect();
        let lines: String = (0..2000).map(|number| format!("{verb} {number}\n")).collect();
        clients.iter().for_each(|client| client.send(&lines));
        for client in &mut clients {
            for number in 0..2000 {
                assert_eq!(client.line(), Some((number * 2).to_string()), "{verb}");
            }
        }
    }
}

#[test]
fn words_between_loops_keep_their_order_though_queues_overflow() {
    let server = start(3, 2);
    let mut clients: Vec<Client> = (0..3).map(|_| server.client()).collect();
    let lines: String = (0..1000).map(|number| format!("tell {number}\n")).collect();
    clients.iter().for_each(|client| client.send(&lines));
    for client in &mut clients {
        let mut next = [0; 3];
        for _ in 0..3000 {
            let line = client.line().unwrap();
            let (home, number) = line.split_once(' ').unwrap();
            let expected = &mut next[home.parse::<usize>().unwrap()];
            assert_eq!(number.parse(), Ok(*expected), "from loop {home}");
            *expected += 1;
        }
        assert_eq!(next, [1000; 3]);
    }
}

#[test]
fn a_handler_with_jobs_needs_workers() {
    let server = Server::builder(|here| Clerk { here, loops: 1 }).loops(1);
    assert_eq!(server.build().unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}
