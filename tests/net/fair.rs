//! Nobody is served at the cost of somebody else.

use std::io::Read;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{Client, Running, echo};

const LINE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n";

/// Writes `megabytes` of lines and then the end, on a thread.
fn pour(client: &Client, megabytes: usize) -> std::thread::JoinHandle<()> {
    let stream = client.0.get_ref().try_clone().unwrap();
    std::thread::spawn(move || {
        let chunk = LINE.repeat((1 << 20) / LINE.len());
        let client = Client(std::io::BufReader::new(stream));
        (0..megabytes).for_each(|_| client.send(&chunk));
        client.0.get_ref().shutdown(Shutdown::Write).unwrap();
    })
}

#[test]
fn a_slow_reader_holds_up_nobody_and_loses_nothing() {
    let server = Running::start(echo(1));
    let mut slow = server.client();
    let writer = pour(&slow, 24);
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
    assert!(came.chunks(LINE.len()).all(|line| line == LINE.as_bytes()));
}

#[test]
fn whoever_pours_megabytes_leaves_every_turn_to_others() {
    let server = Running::start(echo(1));
    let mut hog = server.client();
    let writer = pour(&hog, 64);
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
