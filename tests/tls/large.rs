//! Much at once: partial writes, slow readers, many messages, and what is queued for whom.

use std::io::{Read, Write};

use stentor::engine;

use crate::client::{Client, of_version};
use crate::server::{Running, roomy, until};

#[test]
fn a_thousand_messages_go_both_ways() {
    let server = Running::start("thousand");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut client = Client::to(server.address, of_version(server.roots(), version));
        for at in 0..1000 {
            let line = format!("{at}{}", "x".repeat(at));
            assert_eq!(client.ask(&line), line);
        }
        // And without waiting.
        let lines: Vec<String> =
            (0..1000).map(|at| format!("{at}{}", "y".repeat(at % 70))).collect();
        for ten in lines.chunks(10) {
            client.send(ten.iter().map(|line| format!("{line}\n")).collect::<String>());
        }
        for line in &lines {
            assert_eq!(client.line().unwrap().as_deref(), Some(line.as_str()));
        }
    }
}

#[test]
fn a_message_of_megabytes_comes_back_however_slowly_it_is_read() {
    let server = Running::start("megabytes");
    let mut client = server.client();
    let mut long: Vec<u8> = (0..8 << 20).map(|at: u32| b'a' + (at % 23) as u8).collect();
    long.push(b'\n');
    // Nothing is read before all of it is written, so the server's writes fill every buffer.
    client.send(&long);
    until(|| server.metric("stentor_net_blocked_writes_total") > 0);
    let mut came = vec![0; long.len()];
    for part in came.chunks_mut(7777) {
        client.0.read_exact(part).unwrap();
    }
    assert!(came == long, "not what was sent");
    until(|| server.metric("stentor_queued_bytes") == 0);
    assert_eq!(client.ask("and now"), "and now");
}

#[test]
fn what_is_encrypted_and_not_sent_counts_as_queued() {
    let server = Running::start("counted");
    let mut client = server.client();
    client.send("flood 32768\n");
    until(|| server.metric("stentor_net_blocked_writes_total") > 0);
    // 32 MiB less what the kernel took: nothing of it is forgotten.
    let queued = server.metric("stentor_queued_bytes");
    let sent = server.metric("stentor_net_sent_bytes_total");
    assert!(queued > 16 << 20 && queued <= 32 << 20, "{queued}");
    assert!(queued + sent >= 32 << 20, "{queued} and {sent}");
    let mut came = vec![0; 32 << 20];
    client.0.read_exact(&mut came).unwrap();
    until(|| server.metric("stentor_queued_bytes") == 0);
}

#[test]
fn who_does_not_read_is_closed_over_tls_as_without() {
    let limits = engine::Config {
        outbox_bytes: 64 * 1024,
        outbox_soft_bytes: 32 * 1024,
        outbox_soft_ms: 50,
        close_timeout_ms: 50,
        ..roomy()
    };
    let server = Running::with("slow", limits, |_, _| {}, |builder| builder);
    let (mut slow, mut other) = (server.client(), server.client());
    slow.send("flood 32768\n");
    until(|| server.metric("stentor_slow_consumers_total") == 1);
    until(|| server.handle.connections() == 1);
    assert_eq!(other.ask("x"), "x");
    assert_eq!(server.metric("stentor_queued_bytes"), 0);
    drop(slow);
}

#[test]
fn both_sides_full_is_no_deadlock() {
    let server = Running::start("both");
    let mut client = server.client();
    let tls = client.0.get_mut();
    let line = [&[b'z'; 4095][..], b"\n"].concat();
    // 16 MiB are written while nothing is read; what cannot be written waits here, unencrypted.
    tls.sock.set_nonblocking(true).unwrap();
    let (mut written, mut read, mut buffer) = (0, 0, vec![0; 65536]);
    let total = 16 << 20;
    while read < total {
        if written < total && !tls.conn.wants_write() {
            tls.conn.writer().write_all(&line).unwrap();
            written += line.len();
        }
        let _ = tls.conn.write_tls(&mut tls.sock);
        let stuck = tls.conn.wants_write() || written == total;
        if stuck && tls.conn.read_tls(&mut tls.sock).is_ok() {
            tls.conn.process_new_packets().unwrap();
            while let Ok(bytes @ 1..) = tls.conn.reader().read(&mut buffer) {
                assert!(buffer[..bytes].iter().all(|byte| matches!(byte, b'z' | b'\n')));
                read += bytes;
            }
        }
    }
    assert_eq!(read, total);
}
