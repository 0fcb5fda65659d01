//! Bugs that must be caught, and found ones that must not come back.
//!
//! Law: a control that is not caught within its cycles fails. Where only one kind of strike can see a
//! bug, another kind must not: that shows what each is for.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::campaign::{Broken, Campaign, Kind};
use crate::cut::{self, Loss};
use crate::device::Device;
use crate::life::{Life, Rig};
use crate::process::pause;
use crate::publisher::Manner;
use crate::wire::DEADLINE;
use crate::{expected, seed};

const MANNER: Manner = Manner { window: 6, padding: 6_000, excused: &[] };

/// How a loss looks: messages, what a subscriber heard, a chat, the database, or the token key.
const LOST: &[&str] =
    &["lost", "ends before", "is new", "heard", "became", "no such chat", "not start", "not valid"];

fn told(name: &str, value: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), value.to_owned())]
}

/// Runs a campaign against a server with a bug; gives how it was caught, if it was.
fn against(name: &str, kind: Kind, plant: Vec<(String, String)>, cycles: u64) -> Option<Broken> {
    let power = matches!(kind, Kind::Power);
    let shim = power.then(|| cut::build().expect("the shim is compiled"));
    let rig = Rig { shim, environment: plant };
    let (name, seed) = (format!("control-{name}"), seed());
    let campaign = Campaign { name: name.clone(), kind, cycles, seed, rig, keep: false };
    let outcome = campaign.run();
    match &outcome {
        Ok(tally) => eprintln!("ledger {name}: not seen; {tally}"),
        Err(broken) => {
            let what: String = broken.what.chars().take(120).collect();
            eprintln!("ledger {name}: caught in cycle {}: {what}", broken.cycle);
        }
    }
    outcome.err()
}

#[test]
fn a_disk_that_lies_about_fsync_is_caught() {
    let broken = against("lies", Kind::Power, told("LEDGER_DISK_LIES", "1"), 200);
    expected(broken.expect("a lie that nobody saw"), LOST);
}

#[cfg(feature = "failpoints")]
mod planted {
    use super::*;

    #[test]
    fn synchronous_normal_is_caught_by_the_power_cut_only() {
        let plant = || told("STENTOR_PLANT", "synchronous_normal");
        let broken = against("normal", Kind::Power, plant(), 200);
        expected(broken.expect("a commit that nobody waited for"), LOST);
        let broken = against("normal-kill", Kind::Kill, plant(), 20);
        assert!(broken.is_none(), "a kill loses nothing that the kernel has: {broken:?}");
    }

    #[test]
    fn an_ack_before_the_commit_is_caught() {
        let plant = told("STENTOR_PLANT", "ack_before_commit");
        let broken = against("early", Kind::Kill, plant, 200).expect("an ack of nothing");
        expected(broken, LOST);
    }

    #[test]
    fn a_server_without_a_dedup_key_is_caught() {
        let plant = told("STENTOR_PLANT", "no_dedup_key");
        let broken = against("no-key", Kind::Kill, plant, 200).expect("a retry stored twice");
        expected(broken, &["is new", "a duplicate of"]);
    }

    #[test]
    fn a_channel_without_a_dedup_key_is_caught() {
        let plant = told("STENTOR_PLANT", "no_publication_key");
        let broken = against("no-name", Kind::Kill, plant, 200).expect("a retry kept twice");
        expected(broken, &["is new", "a duplicate of"]);
    }

    #[test]
    fn a_cursor_that_runs_ahead_is_caught() {
        let plant = told("STENTOR_PLANT", "ack_of_everything");
        let broken = against("ahead", Kind::Kill, plant, 200).expect("a device that was passed by");
        expected(broken, &["who acknowledges: lost"]);
    }

    #[test]
    fn an_end_that_is_not_stored_is_caught() {
        let plant = told("STENTOR_PLANT", "end_not_stored");
        let broken = against("end", Kind::Kill, plant, 200).expect("an end that was told");
        expected(broken, &["a lost step", "went back"]);
    }
}

/// The contents of a directory but for what is shared memory.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = fs::read_dir(dir).expect("a directory").flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| !name.ends_with("-shm"))
        .map(|name| (name.clone(), fs::read(dir.join(&name)).expect("a file")))
        .collect()
}

/// A directory on a disk that remembers, with users and chats in it.
fn set_up(name: &str) -> Life {
    let rig = Rig { shim: Some(cut::build().expect("the shim is compiled")), environment: vec![] };
    let mut life = Life::new(name, seed(), &rig, false).expect("a directory");
    let server = life.start(&[]).expect("a server");
    life.set_up(&server).expect("tokens and chats");
    life
}

/// The shim sees every change: undone to the last, they leave what was there before.
#[test]
fn the_shim_can_undo_everything() {
    for clean in [false, true] {
        let mut life = set_up("undo");
        life.cut(Some(Loss::All)).expect("a cut");
        let before = contents(&life.place.data);
        let mut server = life.start(&[]).expect("a server");
        life.traffic(&mut server, MANNER, |server, _, rng, _| {
            pause(Duration::from_millis(60 + rng.below(60)));
            if clean {
                server.signal("TERM");
                server.dies_within(DEADLINE).ok_or("it does not stop")?;
            }
            Ok(())
        })
        .expect("traffic");
        drop(server);
        let changed = contents(&life.place.data);
        assert_ne!(before, changed, "something was written");
        life.cut(Some(Loss::Everything)).expect("a cut");
        assert_eq!(before, contents(&life.place.data), "stopped cleanly: {clean}");
        fs::remove_dir_all(life.folder()).expect("removed");
    }
}

/// Found by the ledger: a commit whose server was killed before its fsync was shown by the next one,
/// and the power cut after that took it.
#[test]
fn what_was_shown_after_a_kill_outlives_a_power_cut() {
    let mut life = set_up("shown");
    // Nothing that this one writes is durable when it dies.
    let mut server = life.start(&told("LEDGER_DISK_LIES", "1")).expect("a server");
    life.traffic(&mut server, MANNER, |_, pulse, _, _| pulse.wait(30)).expect("traffic");
    let server = life.start(&[]).expect("a server");
    life.look(&server, true).expect("what was acknowledged is there: the kernel has it");
    drop(server);
    life.cut(Some(Loss::All)).expect("a cut");
    let tally = life.end().expect("what was shown is still there");
    assert!(tally.get("stored") >= 30, "{tally}");
}

/// A cursor that moves by writing is stored at most a second later (SPEC §4).
#[test]
fn what_a_device_had_for_a_second_is_not_told_again() {
    let mut life = set_up("second");
    let mut server = life.start(&[]).expect("a server");
    let mut struck = None;
    life.traffic(&mut server, MANNER, |_, pulse, _, _| {
        pulse.wait(60)?;
        pause(Duration::from_secs(2));
        struck = Some(Instant::now());
        Ok(())
    })
    .expect("traffic");
    let long_ago = struck.expect("a strike") - Duration::from_millis(1500);
    let had = |device: &Device| {
        let times = device.times.iter().filter(|(_, at)| !device.acks && *at < long_ago);
        times.map(|(offset, _)| *offset).max().unwrap_or_default()
    };
    let had: Vec<u64> = life.devices.iter().map(had).collect();
    assert!(had.iter().any(|had| *had > 0), "nothing was heard");
    // Where it begins now; nowhere when there is nothing more.
    life.devices.iter_mut().for_each(|device| device.began = 0);
    let mut server = life.start(&[]).expect("a server");
    life.traffic(&mut server, MANNER, |_, pulse, _, _| pulse.wait(30)).expect("traffic");
    for (began, had) in life.devices.iter().map(|device| device.began).zip(had) {
        assert!(began == 0 || began > had, "{had} was there long ago, and it began at {began}");
    }
    life.end().expect("everything is there");
}

/// Found by the ledger: a first start that died in its first transaction left a file that the next
/// one filled, and the one after that did not take for its own.
#[test]
fn a_first_start_may_die_at_any_change() {
    let rig = Rig { shim: Some(cut::build().expect("the shim is compiled")), environment: vec![] };
    let mut changes = 0;
    for (change, loss) in (1..).zip([None, Some(Loss::Suffix), Some(Loss::Some)].iter().cycle()) {
        let mut life = Life::new("first", change, &rig, false).expect("a directory");
        let at = told("LEDGER_DISK_DIES", &format!("*:{change}"));
        let ready = life.starting(&at).and_then(|starting| starting.ready()).expect("a verdict");
        if ready.is_ok() {
            fs::remove_dir_all(life.folder()).expect("removed");
            break;
        }
        life.cut(*loss).expect("a cut");
        for _ in 0..2 {
            life.start(&[]).unwrap_or_else(|why| panic!("change {change}, {loss:?}: {why}"));
        }
        fs::remove_dir_all(life.folder()).expect("removed");
        changes = change;
    }
    assert!(changes > 50, "a first start makes more changes than {changes}");
}
