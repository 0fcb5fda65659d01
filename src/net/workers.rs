//! Threads for what blocks: databases, hashes, files. Never on a loop.
//!
//! [`Workers`] is all that a loop knows of them. [`Pool`] and [`Batcher`] are the two kinds of
//! threads that an assembly builds it from. Both finish what is queued when they are stopped. A
//! panic in their work is counted and logged, and the thread goes on; the item is dropped by it, so
//! an item whose end somebody waits for carries a guard that answers when dropped.
#![expect(clippy::disallowed_methods, reason = "the threads of workers are made here")]

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::base::id::LoopId;
use crate::handler::Handler;

/// Whoever does the jobs of the handlers.
pub trait Workers<H: Handler>: Send + Sync {
    /// Takes a job of the loop `from`; must not block, it is called on that loop. What comes of the
    /// job goes to that loop's [`Mailbox`](super::Mailbox), also when there is no room for it.
    fn submit(&self, job: H::Job, from: LoopId);
}

impl<H: Handler, F: Fn(H::Job, LoopId) + Send + Sync> Workers<H> for F {
    fn submit(&self, job: H::Job, from: LoopId) {
        self(job, from);
    }
}

/// The threads of a pool or a batcher, and the way to them.
#[derive(Debug)]
struct Crew<T> {
    sender: Option<Sender<T>>,
    threads: Vec<JoinHandle<()>>,
    panics: Arc<AtomicU64>,
}

impl<T> Crew<T> {
    fn try_submit(&self, item: T) -> Result<(), T> {
        let Some(sender) = &self.sender else { return Err(item) };
        sender.try_send(item).map_err(TrySendError::into_inner)
    }

    fn queued(&self) -> usize {
        self.sender.as_ref().map_or(0, Sender::len)
    }
}

/// Lets the threads finish what is queued, and waits for them.
impl<T> Drop for Crew<T> {
    fn drop(&mut self) {
        self.sender = None;
        for thread in self.threads.drain(..) {
            // Its panics were caught; what remains to be said of one was logged there.
            let _ = thread.join();
        }
    }
}

/// Does `work`; a panic is counted and logged instead of ending the thread.
fn contained(panics: &AtomicU64, work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        panics.fetch_add(1, Ordering::Relaxed);
        log::error!("a worker panicked; its item is lost, the thread goes on");
    }
}

/// Threads that take items from one queue.
#[derive(Debug)]
pub struct Pool<T>(Crew<T>);

impl<T: Send + 'static> Pool<T> {
    /// Starts one thread for each of `workers`, named `NAME-0`, `NAME-1`…; at most `queue_max`
    /// items wait for them.
    ///
    /// # Errors
    /// The system starts no more threads.
    pub fn start<F: FnMut(T) + Send + 'static>(
        name: &str,
        queue_max: usize,
        workers: Vec<F>,
    ) -> io::Result<Self> {
        let (sender, receiver) = bounded::<T>(queue_max);
        let panics = Arc::new(AtomicU64::new(0));
        let mut crew = Crew { sender: Some(sender), threads: Vec::new(), panics: panics.clone() };
        for (at, mut work) in workers.into_iter().enumerate() {
            let (receiver, panics) = (receiver.clone(), panics.clone());
            crew.threads.push(std::thread::Builder::new().name(format!("{name}-{at}")).spawn(
                move || receiver.iter().for_each(|item| contained(&panics, || work(item))),
            )?);
        }
        Ok(Self(crew))
    }

    /// Queues an item, without blocking.
    ///
    /// # Errors
    /// The item, when the queue is full.
    pub fn try_submit(&self, item: T) -> Result<(), T> {
        self.0.try_submit(item)
    }

    /// How many items wait.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.0.queued()
    }

    /// How many panics were caught.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.0.panics.load(Ordering::Relaxed)
    }

    /// Finishes what is queued and joins the threads, as dropping does.
    pub fn stop(self) {
        drop(self);
    }
}

/// What a [`Batcher`] does with its batches.
pub trait Batch<T>: Send {
    /// Does a batch, in the order of the items; what is left in it is dropped.
    fn run(&mut self, batch: &mut Vec<T>);

    /// The queue has run empty: time for what can wait.
    fn idle(&mut self) {}
}

/// One thread that takes everything queued at once: a batch is what came while the one before was
/// being done. No timer makes anything wait for company.
#[derive(Debug)]
pub struct Batcher<T>(Crew<T>);

impl<T: Send + 'static> Batcher<T> {
    /// Starts the thread; at most `queue_max` items wait, at most `batch_max` make a batch.
    ///
    /// # Errors
    /// The system starts no more threads.
    pub fn start(
        name: &str,
        queue_max: usize,
        batch_max: usize,
        work: impl Batch<T> + 'static,
    ) -> io::Result<Self> {
        let (sender, receiver) = bounded(queue_max);
        let panics = Arc::new(AtomicU64::new(0));
        let counted = panics.clone();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || batches(&receiver, batch_max, work, &counted))?;
        Ok(Self(Crew { sender: Some(sender), threads: vec![thread], panics }))
    }

    /// Queues an item, without blocking.
    ///
    /// # Errors
    /// The item, when the queue is full.
    pub fn try_submit(&self, item: T) -> Result<(), T> {
        self.0.try_submit(item)
    }

    /// How many items wait.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.0.queued()
    }

    /// How many panics were caught.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.0.panics.load(Ordering::Relaxed)
    }

    /// Finishes what is queued and joins the thread, as dropping does.
    pub fn stop(self) {
        drop(self);
    }
}

fn batches<T>(
    receiver: &Receiver<T>,
    batch_max: usize,
    mut work: impl Batch<T>,
    panics: &AtomicU64,
) {
    let mut batch = Vec::new();
    while let Ok(first) = receiver.recv() {
        batch.push(first);
        batch.extend(receiver.try_iter().take(batch_max.saturating_sub(1)));
        contained(panics, || work.run(&mut batch));
        batch.clear();
        if receiver.is_empty() {
            contained(panics, || work.idle());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_pool_gives_the_item_back_and_a_stopped_one_has_done_everything() {
        let (open, gate) = bounded::<()>(64);
        let (told, heard) = bounded(64);
        let pool = Pool::start(
            "test",
            2,
            vec![move |item: u32| {
                gate.recv().unwrap();
                told.send((item, std::thread::current().name().map(str::to_owned))).unwrap();
            }],
        )
        .unwrap();
        pool.try_submit(0).unwrap();
        // Once the queue is empty the thread holds the first, and two more may wait.
        while pool.queued() > 0 {
            std::thread::yield_now();
        }
        assert_eq!([1, 2, 3].map(|item| pool.try_submit(item)), [Ok(()), Ok(()), Err(3)]);
        (0..3).for_each(|_| open.send(()).unwrap());
        pool.stop();
        let named = |item| (item, Some("test-0".to_owned()));
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [0, 1, 2].map(named));
    }

    #[test]
    fn a_panic_costs_one_item() {
        let (told, heard) = bounded(64);
        let pool = Pool::start(
            "test",
            64,
            vec![move |item: u32| {
                assert_ne!(item, 2, "planted");
                told.send(item).unwrap();
            }],
        )
        .unwrap();
        (0..5).for_each(|item| pool.try_submit(item).unwrap());
        assert_eq!(heard.iter().take(4).collect::<Vec<_>>(), [0, 1, 3, 4]);
        assert_eq!(pool.panics(), 1);
    }

    struct Recorder {
        /// Told when a batch is closed: what comes later is of the next one.
        closed: Sender<()>,
        gate: Receiver<()>,
        told: Sender<Option<Vec<u32>>>,
    }

    impl Batch<u32> for Recorder {
        fn run(&mut self, batch: &mut Vec<u32>) {
            self.closed.send(()).unwrap();
            self.gate.recv().unwrap();
            let items = std::mem::take(batch);
            self.told.send(Some(items.clone())).unwrap();
            assert!(!items.contains(&7), "planted");
        }

        fn idle(&mut self) {
            self.told.send(None).unwrap();
        }
    }

    #[test]
    fn a_batch_is_what_came_during_the_one_before() {
        let (open, gate) = bounded(64);
        let (told, heard) = bounded(64);
        let (closed, first) = bounded(64);
        let batcher = Batcher::start("test", 64, 4, Recorder { closed, gate, told }).unwrap();
        batcher.try_submit(0).unwrap();
        first.recv().unwrap();
        (1..=9).for_each(|item| batcher.try_submit(item).unwrap());
        (0..4).for_each(|_| open.send(()).unwrap());
        let told: Vec<_> = heard.iter().take(5).collect();
        let batches = [vec![0], vec![1, 2, 3, 4], vec![5, 6, 7, 8], vec![9]];
        assert_eq!(told[..4], batches.map(Some), "at most four, in order, past a panic");
        assert_eq!(told[4], None, "idle once the queue is empty");
        assert_eq!(batcher.panics(), 1);
        batcher.stop();
    }
}
