//! System 001 of SPEC §1: the real-time layer of an agent platform, for a client of the library
//! `websockets`: JSON over WebSocket, on one loop and on three.

use crate::stage::Stage;

const SCRIPT: &str = "system_001.py";
/// An acceptor's token is over soon after its end, and a namespace of each kind that is needed.
const OPTIONS: [&str; 6] = [
    "--set",
    "tokens.expired_close_ms=200",
    "--set",
    "namespaces.log.durable=true",
    "--set",
    "namespaces.flood.queue=drop_oldest",
];
const ACTS: [&str; 10] = [
    "door",
    "renewal",
    "replay",
    "messages",
    "records",
    "notifications",
    "executions",
    "commands",
    "away",
    "isolation",
];

#[test]
fn what_the_platform_did_it_can_do_here() {
    for loops in ["1", "3"] {
        let Some(mut stage) = Stage::new(SCRIPT, &format!("platform-{loops}")) else { return };
        stage.serve(&[&OPTIONS[..], &["--loops", loops]].concat());
        stage.play(&ACTS);
        stage.fails("control");
    }
}

#[test]
fn a_crowd_is_served_at_once_and_who_is_behind_gets_what_is_critical() {
    let Some(mut stage) = Stage::new(SCRIPT, "crowd") else { return };
    stage.serve(&[&OPTIONS[..], &["--loops", "3"]].concat());
    stage.play(&["crowd", "critical"]);
}

#[test]
fn rates_are_of_a_user_however_many_connections() {
    let Some(mut stage) = Stage::new(SCRIPT, "rates") else { return };
    let limits = [
        "limits.requests_per_second=1",
        "limits.requests_burst=10",
        "limits.messages_per_minute=2",
        "limits.connections_per_user=3",
    ];
    let options: Vec<&str> = limits.iter().flat_map(|limit| ["--set", limit]).collect();
    stage.serve(&[&options[..], &["--loops", "3"]].concat());
    stage.play(&["rates"]);
}

#[test]
fn after_a_crash_everything_acknowledged_is_there() {
    for loops in ["1", "3"] {
        let Some(mut stage) = Stage::new(SCRIPT, &format!("crash-{loops}")) else { return };
        let options = [&OPTIONS[..], &["--loops", loops]].concat();
        stage.serve(&options);
        stage.play(&["promise"]);
        stage.kill();
        stage.serve(&options);
        stage.play(&["kept"]);
    }
}
