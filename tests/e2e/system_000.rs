//! System 000 of SPEC §1: the WebSocket module of a hub, for a client of Protobuf whose code `protoc`
//! made from the published schema, on one loop and on three.

use crate::stage::Stage;
use crate::tls;

const SCRIPT: &str = "system_000.py";

fn set<'a>(keys: &[&'a str]) -> Vec<&'a str> {
    keys.iter().flat_map(|key| ["--set", key]).collect()
}

#[test]
fn what_the_hub_did_it_can_do_here() {
    for loops in ["1", "3"] {
        let Some(mut stage) = Stage::new(SCRIPT, &format!("hub-{loops}")) else { return };
        stage.serve(&["--loops", loops]);
        stage.play(&["connect", "actions", "topics", "validation", "bus"]);
        stage.fails("control");
    }
}

#[test]
fn answers_are_repeated_and_a_backend_that_fails_is_left_alone() {
    for loops in ["1", "3"] {
        let Some(mut stage) = Stage::new(SCRIPT, &format!("calls-{loops}")) else { return };
        let keys = ["calls.cache_ms=1500", "calls.breaker_open_ms=1000", "calls.timeout_ms=400"];
        stage.serve(&[&["--loops", loops, "--no-limits"], &set(&keys)[..]].concat());
        stage.play(&["repeated", "breaker"]);
    }
}

#[test]
fn who_gives_no_sign_of_life_is_found() {
    let Some(mut stage) = Stage::new(SCRIPT, "zombie") else { return };
    let keys = set(&["limits.heartbeat_ms=200", "limits.dead_ms=600"]);
    stage.serve(&[&["--loops", "3"], &keys[..]].concat());
    stage.play(&["zombie"]);
}

#[test]
fn who_is_behind_is_told_what_is_missing() {
    for loops in ["1", "3"] {
        let Some(mut stage) = Stage::new(SCRIPT, &format!("behind-{loops}")) else { return };
        let keys = set(&["namespaces.flood.queue=drop_oldest"]);
        stage.serve(&[&["--loops", loops], &keys[..]].concat());
        stage.play(&["behind"]);
    }
}

#[test]
fn deadlines_and_rates_are_as_configured() {
    let Some(mut stage) = Stage::new(SCRIPT, "deadlines") else { return };
    let keys =
        ["limits.auth_timeout_ms=700", "limits.requests_per_second=1", "limits.requests_burst=10"];
    stage.serve(&set(&keys));
    stage.play(&["deadlines"]);
}

#[test]
fn tls_compression_and_logs_are_as_configured() {
    let Some(mut stage) = Stage::new(SCRIPT, "secure") else { return };
    tls::issue(&stage.folder);
    stage.serve(&["--tls-cert", "cert.pem", "--tls-key", "key.pem"]);
    stage.play(&["secure"]);
    stage.serve(&[&["--log-format", "json"], &set(&["websocket.deflate=off"])[..]].concat());
    stage.play(&["plain"]);
}
