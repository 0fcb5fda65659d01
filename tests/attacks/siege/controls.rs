//! The siege must be able to fail: false servers whose fault is at one cut, wrong descriptions, and
//! counters that moved by one too many.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use super::arrival::Kernel;
use super::counters::Counters;
use super::way::Door;
use super::{Attack, Outcome, Target, besiege, certificate};

const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
const FINE: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";

/// A server that reads [`REQUEST`] and answers by how many bytes came at a time, until it has seen
/// so many connections. Gives what each read.
fn fake(
    connections: usize,
    answer: impl Fn(&[usize]) -> &'static [u8] + Send + 'static,
) -> (String, JoinHandle<Vec<Vec<usize>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let serve = move |mut stream: TcpStream| {
        let (mut reads, mut buffer) = (Vec::new(), [0; 1024]);
        while reads.iter().sum::<usize>() < REQUEST.len() {
            reads.push(stream.read(&mut buffer).expect("bytes"));
        }
        stream.write_all(answer(&reads)).expect("sent");
        reads
    };
    let all = move || {
        let streams = listener.incoming().take(connections);
        streams.map(|stream| serve(stream.expect("a connection"))).collect()
    };
    (address, std::thread::spawn(all))
}

fn besieged(address: &str, attack: Attack) -> Outcome {
    let kernel = Kernel::open();
    besiege(&Target { address, tls: certificate::trusting(), kernel: &kernel }, &[attack])
}

fn plain(expect: impl Fn(&[u8]) + 'static) -> Attack {
    Attack::new(REQUEST, expect).only(Door::Plain)
}

#[test]
fn every_piece_is_read_by_itself() {
    let length = REQUEST.len();
    let (address, reads) = fake(length + 1, |_| FINE);
    let outcome = besieged(&address, plain(|said| assert_eq!(said, FINE)).counted("tries", 2));
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    assert_eq!(outcome.counted["tries"], 2 * (length as u64 + 1));
    let reads = reads.join().expect("a server");
    assert_eq!(reads[0], [length]);
    for (at, read) in reads.iter().enumerate().take(length).skip(1) {
        assert_eq!(read[..], [at, length - at]);
    }
    assert_eq!(reads[length], vec![1; length]);
}

#[test]
fn an_answer_that_differs_at_one_cut_is_told_with_its_place() {
    for (expect, answer) in [
        // What is described comes, and yet not the same as when it is whole.
        (&b""[..], &b"HTTP/1.1 200 Okay\r\n\r\n"[..]),
        (&b"HTTP/1.1 200"[..], b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    ] {
        let (address, _) = fake(REQUEST.len() + 1, move |reads| match reads {
            [17, ..] => answer,
            _ => FINE,
        });
        let outcome = besieged(&address, plain(move |said| assert!(said.starts_with(expect))));
        let [failure] = &outcome.failures[..] else { panic!("{:?}", outcome.failures) };
        assert!(failure.starts_with("plain, cut at 17 of 34: GET /healthz"), "{failure}");
        assert!(failure.contains(&answer.escape_ascii().to_string()), "{failure}");
    }
}

#[test]
fn a_wrong_description_is_told_once() {
    let (address, _) = fake(1, |_| FINE);
    let outcome = besieged(&address, plain(|said| assert_eq!(said, b"no such thing")));
    assert_eq!(outcome.failures.len(), 1, "{:?}", outcome.failures);
    assert!(outcome.failures[0].starts_with("plain, whole of 34: "), "{:?}", outcome.failures);
}

#[test]
fn counters_that_move_too_much_too_little_or_unasked_are_told() {
    let page = |violations: u32, answers: u32| {
        Counters::of(&format!(
            "# TYPE stentor_protocol_violations counter\nstentor_protocol_violations_total \
             {violations}\nstentor_http_answers_total{{endpoint=\"page\"}} {answers}\n\
             stentor_requests_total{{verb=\"message\"}} {answers}\nstentor_sent_total {answers}\n"
        ))
    };
    let name = "stentor_protocol_violations_total".to_owned();
    let expected = BTreeMap::from([(name.clone(), 5)]);
    assert_eq!(page(15, 7).unlike(&page(10, 7), &expected), [""; 0]);
    for (violations, moved) in [(14, 4), (16, 6), (10, 0)] {
        let told = page(violations, 7).unlike(&page(10, 7), &expected);
        assert_eq!(told, [format!("{name} moved by {moved}, not by 5")]);
    }
    let told = page(15, 8).unlike(&page(10, 7), &expected);
    assert_eq!(told, ["stentor_http_answers_total{endpoint=\"page\"} moved by 1, not by 0"]);
    let unheard = BTreeMap::from([("stentor_unheard_of_total".to_owned(), 1)]);
    assert_eq!(page(1, 1).unlike(&page(1, 1), &unheard).len(), 1);
}
