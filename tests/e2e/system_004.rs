//! System 004 of SPEC §1: chat and live updates for the web, for a client of the library `websockets`.

use std::net::UdpSocket;

use crate::stage::Stage;
use crate::tools::left_out;

const SCRIPT: &str = "system_004.py";

#[test]
fn what_the_chat_did_it_can_do_here() {
    for loops in ["1", "3"] {
        let Some(mut stage) = Stage::new(SCRIPT, &format!("chat-{loops}")) else { return };
        stage.serve(&["--loops", loops]);
        stage.play(&["rooms", "channels", "sizes", "minute", "own_origins", "sessions"]);
        stage.fails("control");
    }
}

#[test]
fn pages_of_a_list_may_connect() {
    let Some(mut stage) = Stage::new(SCRIPT, "origins") else { return };
    stage.serve(&["--set", "http.allowed_origins=https://app.example,https://b.example"]);
    stage.play(&["origins"]);
}

#[test]
fn operators_are_told_of_what_is_too_much() {
    let Some(mut stage) = Stage::new(SCRIPT, "alerts") else { return };
    let keys = ["alerts.connections=5", "alerts.interval_ms=500", "limits.heartbeat_ms=400"];
    let options: Vec<&str> = keys.iter().flat_map(|key| ["--set", key]).collect();
    stage.serve(&[&["--loops", "3"], &options[..]].concat());
    stage.play(&["alerts"]);
}

/// The address by which this machine would go out, if it is not its loopback. Nothing is sent.
fn outside() -> Option<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then(|| ip.to_string())
}

#[test]
fn an_address_has_five_connections_a_second() {
    let Some(mut stage) = Stage::new(SCRIPT, "addresses") else { return };
    let Some(ip) = outside() else {
        return left_out("connections of an address", "this machine has none but loopback");
    };
    stage.serve_everywhere(&ip);
    stage.play(&["addresses"]);
}
