//! Nobody is served at the cost of somebody else.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use stentor::net;

use crate::support::{Client, Running, echo, roomy, until};

const LINE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n";

/// Writes `chunk` so many times and then the end, on a thread.
fn pour(client: &Client, chunk: String, times: usize) -> std::thread::JoinHandle<()> {
    let stream = client.0.get_ref().try_clone().unwrap();
    std::thread::spawn(move || {
        let client = Client(std::io::BufReader::new(stream));
        (0..times).for_each(|_| client.send(&chunk));
        client.0.get_ref().shutdown(Shutdown::Write).unwrap();
    })
}

#[test]
fn a_slow_reader_holds_up_nobody_and_loses_nothing() {
    let server = Running::start(echo(1));
    let mut slow = server.client();
    // Whole lines at a time are lent back, and at some point the kernel refuses a part of one.
    let line: String = (0..16_383).map(|at| char::from(b'a' + (at % 23) as u8)).collect();
    let writer = pour(&slow, format!("{line}\n"), 1536);
    // The slow one reads nothing yet; far more is under way than any buffer between holds.
    let mut bystander = server.client();
    for at in 0..500 {
        assert_eq!(bystander.ask(&at.to_string()), Some(at.to_string()));
    }
    assert!(!writer.is_finished(), "the server takes what it cannot hand on");
    let mut came = Vec::new();
    slow.0.read_to_end(&mut came).unwrap();
    writer.join().unwrap();
    assert_eq!(came.len(), 24 << 20);
    assert!(came.chunks(16_384).all(|came| came == format!("{line}\n").as_bytes()));
}

#[test]
fn whoever_pours_megabytes_leaves_every_turn_to_others() {
    let server = Running::start(echo(1));
    let mut hog = server.client();
    let writer = pour(&hog, LINE.repeat((1 << 20) / LINE.len()), 64);
    let (pouring, drank) = (AtomicBool::new(true), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut buffer = vec![0; 1 << 20];
            let mut came = 0;
            while let Ok(bytes @ 1..) = hog.0.get_mut().read(&mut buffer) {
                came += bytes;
            }
            pouring.store(false, Ordering::Release);
            drank.store(came == 64 << 20, Ordering::Release);
        });
        let mut bystander = server.client();
        let mut asked = 0;
        while pouring.load(Ordering::Acquire) {
            assert_eq!(bystander.ask("still there?").as_deref(), Some("still there?"));
            asked += 1;
        }
        assert!(asked > 50, "{asked} answers while megabytes were poured");
    });
    writer.join().unwrap();
    assert!(drank.load(Ordering::Acquire));
}

#[test]
fn a_budget_used_up_waits_for_the_next_turn() {
    let config =
        net::Config { read_buffer_bytes: 1024, raise_descriptors: false, ..net::Config::default() };
    let mut server = echo(1).config(config, roomy()).build().unwrap();
    let mut hog = TcpStream::connect(server.local_addrs()[0]).unwrap();
    hog.set_nonblocking(true).unwrap();
    hog.write_all(LINE.repeat(512).as_bytes()).unwrap();
    let (mut buffer, mut answered, mut turns) = (vec![0; 1 << 16], 0, 0);
    until(|| {
        // No new edge comes: it is the ready list that brings the loop back.
        server.turn(Some(Duration::ZERO)).unwrap();
        turns += 1;
        answered += hog.read(&mut buffer).unwrap_or(0);
        assert!(answered <= 1024 * turns, "{answered} bytes in {turns} turns");
        answered == 512 * LINE.len()
    });
}
