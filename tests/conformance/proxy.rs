//! A proxy that cuts what passes through it into segments of one byte.
//!
//! Law: the same bytes in the same order, each given to the system by a call of its own, and both ends of
//! the stream carried over. How much of a connection, in each direction, is cut how far:
//!
//! | bytes | |
//! |---|---|
//! | the first `PACED_BYTES` | leave so slowly that a server reads each of them alone |
//! | the first `OWN_SEGMENT_BYTES` | are segments of their own on Linux; a server that is busy reads several at once |
//! | the others | have calls of their own; where the window is full, the system joins some |
//!
//! All in segments of their own, 4 MiB would take the ten seconds that the suite waits for them
//! (case 9.2.4).
//!
//! Limit: an end is told as an end, a reset too.

use std::hint;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

/// The handshake, and all of most cases; a third of a second.
const PACED_BYTES: usize = 16 << 10;
/// Longer than a loop takes to come back to its poll.
const PACE: Duration = Duration::from_micros(20);
/// Half a second; 4 MiB would take ten.
const OWN_SEGMENT_BYTES: usize = 256 << 10;
/// `MSG_EOR`: nothing is appended to this segment.
const END_OF_RECORD: i32 = if cfg!(target_os = "linux") { 0x80 } else { 0 };
/// Read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// What is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// What the client sends.
    ToServer,
    /// What either sends.
    BothWays,
}

/// Listens on a free port and connects each who comes to `server`, until the process ends.
pub(crate) fn start(server: SocketAddr, cut: Cut) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for client in listener.incoming() {
            if let Err(error) = client.and_then(|client| join(client, server, cut)) {
                eprintln!("proxy: {error}");
            }
        }
    });
    Ok(address)
}

fn join(client: TcpStream, server: SocketAddr, cut: Cut) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, from_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || relay(from_client, &server, pieces));
    thread::spawn(move || match cut {
        Cut::ToServer => relay(from_server, &client, |mut to, bytes, _| to.write_all(bytes)),
        Cut::BothWays => relay(from_server, &client, pieces),
    });
    Ok(())
}

/// Carries over what comes until it ends, then the end.
fn relay(
    mut from: TcpStream,
    to: &TcpStream,
    write: impl Fn(&TcpStream, &[u8], usize) -> io::Result<()>,
) {
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut sent, mut taken) = (0, true);
    loop {
        let bytes = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => &buffer[..length],
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        // What nobody takes any more is read all the same: a socket that is closed with bytes unread
        // resets its connection, and the Close frame on the way back would be lost.
        taken = taken && write(to, bytes, sent).is_ok();
        sent += bytes.len();
    }
    // Fails when the other end went first.
    let _ = to.shutdown(Shutdown::Write);
}

fn pieces(to: &TcpStream, bytes: &[u8], sent: usize) -> io::Result<()> {
    let socket = SockRef::from(to);
    one_by_one(bytes, sent, |byte, flags| socket.send_with_flags(byte, flags))
}

/// Gives `bytes` away one by one; `sent` were sent before them.
fn one_by_one(
    bytes: &[u8],
    sent: usize,
    mut send: impl FnMut(&[u8], i32) -> io::Result<usize>,
) -> io::Result<()> {
    for (at, byte) in bytes.chunks(1).enumerate() {
        let before = sent + at;
        let flags = if before < OWN_SEGMENT_BYTES { END_OF_RECORD } else { 0 };
        loop {
            match send(byte, flags) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if before < PACED_BYTES {
            // The shortest sleep is three times as long, and who yields on a busy machine waits for
            // milliseconds.
            let until = Instant::now() + PACE;
            while Instant::now() < until {
                hint::spin_loop();
            }
        }
    }
    Ok(())
}

#[test]
fn each_byte_has_a_call_of_its_own() {
    let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
    let (mut calls, mut interruptions) = (Vec::new(), 0);
    one_by_one(&bytes, OWN_SEGMENT_BYTES - 600, |piece, flags| {
        if calls.len() == 7 && interruptions < 3 {
            interruptions += 1;
            return Err(ErrorKind::Interrupted.into());
        }
        calls.push((piece.to_vec(), flags));
        Ok(piece.len())
    })
    .unwrap();
    assert!(calls.iter().all(|(piece, _)| piece.len() == 1));
    assert_eq!(calls.iter().flat_map(|(piece, _)| piece.clone()).collect::<Vec<_>>(), bytes);
    assert_eq!(calls.iter().filter(|(_, flags)| *flags == END_OF_RECORD).count(), 600);
    let refused = one_by_one(&bytes, 0, |_, _| Err(ErrorKind::BrokenPipe.into()));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::BrokenPipe);
}
