//! A soak of seconds with few users, of the server as a developer builds it.

use super::*;

fn little() -> Plan {
    Plan {
        crowd: Crowd { channels: 2, subscribers: 20, rooms: 2, members: 10, pingers: 10 },
        minutes: 0.1,
        calibration: Duration::from_millis(300),
        warm_up: (Duration::from_secs(2), Duration::from_secs(4)),
        database_bytes: 0,
        share: 0.2,
    }
}

#[test]
fn a_short_soak_loses_nothing_and_leaves_no_descriptor_open() {
    let built = crate::contestant::cargo().args(["build", "--locked", "--bin", "stentor"]).status();
    assert!(built.unwrap().success(), "what is to be soaked cannot be built");
    let dir = std::env::temp_dir().join(format!("versus-soak-{}", std::process::id()));
    let report = soak(&dir, &little());
    let _ = std::fs::remove_dir_all(&dir);
    let report = report.unwrap();
    assert!(report.messages > 1000, "{}", report.messages);
    // Memory comes to rest within minutes, not within these seconds.
    let grown: Vec<_> = report.grown.iter().filter(|what| !what.starts_with("memory")).collect();
    assert!(grown.is_empty(), "{grown:?}");
    assert!(report.first.descriptors > little().crowd.channels * little().crowd.subscribers);
}
