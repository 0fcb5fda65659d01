//! Programs that move bytes and understand none: what an epoll program in C would do, by the same
//! system calls, and so the least that a server of the same use can cost.
//!
//! Edge-triggered, which is cheaper than level-triggered by one look at each drained socket; one
//! `read` and one `write` per event, a read that did not fill the buffer counts as drained.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with, sockopt};

use crate::load::retried;

const BUFFER_BYTES: usize = 256 * 1024;
const LISTENER: u64 = u64::MAX;

/// What becomes of the bytes that came.
enum Use {
    /// Back to where they came from.
    Echo,
    /// For each `taken` bytes, `given` bytes to everyone else.
    Fan { taken: usize, block: Vec<u8>, given: usize },
}

/// Runs one of the programs: `echo`, or `fan TAKEN GIVEN`.
pub(crate) fn run(words: &[String]) -> crate::Outcome<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut usage = match words[..] {
        ["echo"] => Use::Echo,
        ["fan", taken, given] => {
            let given: usize = given.parse()?;
            Use::Fan { taken: taken.parse()?, block: vec![b'x'; given * 1024], given }
        }
        _ => return Err("null echo | null fan TAKEN GIVEN".into()),
    };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    // The standard library's backlog is too short for a storm of connections.
    rustix::net::listen(&listener, 4096)?;
    listener.set_nonblocking(true)?;
    println!("listening {}", listener.local_addr()?);
    Ok(serve(&listener, &mut usage)?)
}

fn serve(listener: &TcpListener, usage: &mut Use) -> io::Result<()> {
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&poll, listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut events: Vec<Event> = Vec::with_capacity(1024);
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut sockets: Vec<Option<OwnedFd>> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    loop {
        events.clear();
        retried(|| epoll::wait(&poll, spare_capacity(&mut events), None))?;
        for event in &events {
            let token = event.data.u64();
            if token == LISTENER {
                accept(&poll, listener, &mut sockets, &mut free)?;
                continue;
            }
            let place = token as usize;
            while let Some(socket) = &sockets[place] {
                match rustix::io::read(socket, &mut buffer[..]) {
                    Ok(taken) if taken > 0 => {
                        give(usage, &sockets, place, &buffer[..taken]);
                        if taken < buffer.len() {
                            break;
                        }
                    }
                    Err(Errno::AGAIN) => break,
                    Err(Errno::INTR) => {}
                    _ => {
                        sockets[place] = None;
                        free.push(place);
                    }
                }
            }
        }
    }
}

fn accept(
    poll: &OwnedFd,
    listener: &TcpListener,
    sockets: &mut Vec<Option<OwnedFd>>,
    free: &mut Vec<usize>,
) -> io::Result<()> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    while let Ok(socket) = retried(|| accept_with(listener, flags)) {
        sockopt::set_tcp_nodelay(&socket, true)?;
        let place = free.pop().unwrap_or_else(|| {
            sockets.push(None);
            sockets.len() - 1
        });
        let wanted = EventFlags::IN | EventFlags::ET;
        epoll::add(poll, &socket, EventData::new_u64(place as u64), wanted)?;
        sockets[place] = Some(socket);
    }
    Ok(())
}

fn give(usage: &Use, sockets: &[Option<OwnedFd>], from: usize, bytes: &[u8]) {
    match usage {
        Use::Echo => {
            if let Some(socket) = &sockets[from] {
                write_all(socket, bytes);
            }
        }
        Use::Fan { taken, block, given } => {
            let block = &block[..(bytes.len() / taken) * given];
            for (place, socket) in sockets.iter().enumerate() {
                if let (Some(socket), true) = (socket, place != from) {
                    write_all(socket, block);
                }
            }
        }
    }
}

/// A peer that is gone shows itself when it is read from.
fn write_all(socket: &OwnedFd, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match rustix::io::write(socket, bytes) {
            Ok(given) => bytes = &bytes[given..],
            Err(Errno::AGAIN | Errno::INTR) => std::thread::yield_now(),
            Err(_) => return,
        }
    }
}
