//! What the bench asks of the system: cores, processes, their CPU time and memory.
//!
//! Law: a server runs on core 0, the bench itself on core 1; what was started is ended when its
//! [`Running`] is dropped. CPU time is the scheduler's own count (`schedstat`, user and system, in
//! nanoseconds), read while the server sleeps, because it is not brought up to date while it runs.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};

/// Whatever goes wrong, in words for the person at the terminal.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Where servers run.
pub(crate) const SERVER: usize = 0;
/// Where the load comes from.
const LOAD: usize = 1;

/// Moves this thread, and what it starts from now on, to one core.
pub(crate) fn pin(core: usize) -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

/// Moves this thread to the core of the load.
pub(crate) fn pin_load() -> io::Result<()> {
    pin(LOAD)
}

/// A server that was started.
pub(crate) struct Running {
    child: Child,
    /// Kept open, so that the server can go on writing.
    _stdout: Option<BufReader<ChildStdout>>,
    pub(crate) address: SocketAddr,
}

impl Running {
    /// Starts a server on its core and waits until it says `listening ADDRESS` on stdout.
    pub(crate) fn start(command: &mut Command) -> Outcome<Self> {
        Self::start_on(command, &[SERVER])
    }

    /// The same on several cores.
    pub(crate) fn start_on(command: &mut Command, cores: &[usize]) -> Outcome<Self> {
        let mut child = spawn(command.stdout(Stdio::piped()), cores)?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        let mut line = String::new();
        while stdout.read_line(&mut line)? > 0 {
            if let Some(address) = line.trim().strip_prefix("listening ") {
                let address = address.parse()?;
                return Ok(Self { child, _stdout: Some(stdout), address });
            }
            line.clear();
        }
        let _ = child.kill();
        let _ = child.wait();
        Err(format!("{command:?} ended without listening").into())
    }

    /// Starts a server that says nothing, and waits until somebody can connect to `address`.
    pub(crate) fn start_silent(command: &mut Command, address: SocketAddr) -> Outcome<Self> {
        let child = spawn(command.stdout(Stdio::null()), &[SERVER])?;
        let running = Self { child, _stdout: None, address };
        let patience = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(address).is_err() {
            if Instant::now() > patience {
                return Err(format!("{command:?} never listened").into());
            }
            std::thread::yield_now();
        }
        Ok(running)
    }

    /// CPU time so far, nanoseconds, as soon as all its threads sleep: those are counted whole.
    pub(crate) fn cpu_ns(&self) -> io::Result<u64> {
        let patience = Instant::now() + Duration::from_secs(1);
        while !sleeps(self.child.id())? && Instant::now() < patience {
            std::thread::yield_now();
        }
        cpu_ns(self.child.id())
    }

    /// Proportional set size, bytes.
    pub(crate) fn memory_bytes(&self) -> Outcome<u64> {
        Ok(self.memory()?.0)
    }

    /// Proportional set size and resident set size, bytes.
    pub(crate) fn memory(&self) -> Outcome<(u64, u64)> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let bytes = |name: &str| -> Outcome<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let line = line.ok_or_else(|| format!("no {name}"))?;
            Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1024)
        };
        Ok((bytes("Pss:")?, bytes("Rss:")?))
    }

    /// Open descriptors, and threads.
    pub(crate) fn descriptors_and_threads(&self) -> io::Result<(usize, usize)> {
        let of = |what| Ok(fs::read_dir(format!("/proc/{}/{what}", self.child.id()))?.count());
        of("fd").and_then(|descriptors| Ok((descriptors, of("task")?)))
    }

    /// CPU time so far, nanoseconds, however busy it is: up to a tick of each thread is missing.
    pub(crate) fn cpu_ns_about(&self) -> io::Result<u64> {
        cpu_ns(self.child.id())
    }

    /// Asks it to end, and waits.
    pub(crate) fn end(mut self) -> Outcome<()> {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::INT)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(command: &mut Command, cores: &[usize]) -> Outcome<Child> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|&core| set.set(core));
    sched_setaffinity(None, &set)?;
    let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
    pin_load()?;
    child.map_err(|error| format!("{command:?}: {error}").into())
}

/// Whether no thread of a process runs or wants to.
fn sleeps(process: u32) -> io::Result<bool> {
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let Ok(text) = fs::read_to_string(task?.path().join("stat")) else { continue };
        // The state follows the name, which stands in parentheses and may hold anything.
        if text.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('R')) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// CPU time of a process, its threads that live together, nanoseconds.
pub(crate) fn cpu_ns(process: u32) -> io::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread may end meanwhile.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        sum += text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(sum)
}

/// How much of the machine others use, per cent, while the bench does nothing.
pub(crate) fn others_percent() -> Outcome<f64> {
    let (busy_before, all_before) = ticks()?;
    let until = Instant::now() + Duration::from_millis(300);
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
    let (busy, all) = ticks()?;
    Ok(100.0 * (busy - busy_before) / (all - all_before).max(1.0))
}

/// Ticks that were worked in, and all, of all cores.
fn ticks() -> Outcome<(f64, f64)> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().ok_or("no /proc/stat")?;
    let numbers: Vec<f64> = line.split_whitespace().skip(1).take(8).flat_map(str::parse).collect();
    let all: f64 = numbers.iter().sum();
    // Idle, and waiting for a disk.
    let idle: f64 = numbers.iter().skip(3).take(2).sum();
    Ok((all - idle, all))
}

/// One measurement: how much was done, and what it cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Echoes, deliveries, connections.
    pub(crate) count: u64,
    /// CPU time of the server.
    pub(crate) server_ns: u64,
    /// CPU time of the load.
    pub(crate) load_ns: u64,
    /// By the clock on the wall.
    pub(crate) wall_ns: u64,
}

impl Sample {
    /// CPU time of the server for each, nanoseconds.
    pub(crate) fn each_ns(&self) -> f64 {
        self.server_ns as f64 / self.count.max(1) as f64
    }
}

/// Measures `work`, which says how much it did and returns when the server has nothing left to do.
pub(crate) fn measure(
    server: &Running,
    work: impl FnOnce() -> io::Result<u64>,
) -> io::Result<Sample> {
    let server_before = server.cpu_ns()?;
    let load_before = cpu_ns(std::process::id())?;
    let start = Instant::now();
    let count = work()?;
    let wall_ns = start.elapsed().as_nanos() as u64;
    let load_ns = cpu_ns(std::process::id())? - load_before;
    let server_ns = server.cpu_ns()? - server_before;
    Ok(Sample { count, server_ns, load_ns, wall_ns })
}
