//! The power cut: what no fsync covers is undone, as a disk that lost its power would have it.
//!
//! Law: what an fsync covered stays; of what it did not cover, any part may be there. Names (files
//! made, linked, renamed, removed) belong to their directory and are lost from the last one back,
//! as a file system with a journal loses them; contents are lost in any order, and a write may be
//! torn at a sector. A death without a cut makes nothing durable: the journal goes on with the next
//! process. Limit: what was there before the first one, or after a cut, is taken to be durable.

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use stentor::base::rng::Rng;

/// The smallest part of a write that is there or not.
const SECTOR: u64 = 512;
const HEAD: usize = 40;

/// A library that can be preloaded, made of `shim/disk.c`.
pub(crate) fn build() -> Result<PathBuf, String> {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    MADE.get_or_init(compile).clone()
}

fn compile() -> Result<PathBuf, String> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ledger/shim/disk.c");
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("disk.so");
    let draft = made.with_extension(format!("{}.so", std::process::id()));
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let output = Command::new(&compiler)
        .args(["-O1", "-shared", "-fPIC", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o"])
        .args([&draft, Path::new(source)])
        .output()
        .map_err(|error| format!("{compiler}: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    fs::rename(&draft, &made).map_err(|error| error.to_string())?;
    Ok(made)
}

/// What the shim wrote down.
#[derive(Debug)]
struct Record {
    kind: Kind,
    name: String,
    old: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Write { offset: u64, length: u64, old_size: u64 },
    Truncate { length: u64, old_size: u64 },
    Sync { covers: usize },
    Create,
    Link,
    Unlink { kept: u64 },
    Rename,
}

/// The journal, without a torn end.
fn records(journal: &Path) -> Vec<Record> {
    let bytes = fs::read(journal).unwrap_or_default();
    let (mut rest, mut records) = (&bytes[..], Vec::new());
    while let Some((head, behind)) = rest.split_at_checked(HEAD) {
        let small = |at: usize| u32::from_ne_bytes(head[at..at + 4].try_into().expect("4"));
        let large = |at: usize| u64::from_ne_bytes(head[at..at + 8].try_into().expect("8"));
        let (offset, length, old_size) = (large(8), large(16), large(24));
        let kind = match small(0) {
            1 => Kind::Write { offset, length, old_size },
            2 => Kind::Truncate { length: offset, old_size },
            3 => Kind::Sync { covers: offset as usize },
            4 => Kind::Create,
            5 => Kind::Link,
            6 => Kind::Unlink { kept: length },
            7 => Kind::Rename,
            other => panic!("a record of kind {other}"),
        };
        let (name_length, old_length) = (small(4) as usize, large(32) as usize);
        let Some((name, behind)) = behind.split_at_checked(name_length) else { break };
        let Some((old, behind)) = behind.split_at_checked(old_length) else { break };
        let name = String::from_utf8_lossy(name).into_owned();
        records.push(Record { kind, name, old: old.to_vec() });
        rest = behind;
    }
    records
}

/// For each record whether an fsync covers it.
fn durable(records: &[Record], trust: bool) -> Vec<bool> {
    let mut covered = vec![false; records.len()];
    for record in records.iter().filter(|_| trust) {
        let Kind::Sync { covers } = record.kind else { continue };
        for (before, covered) in records[..covers].iter().zip(&mut covered) {
            *covered |= match before.kind {
                Kind::Write { .. } | Kind::Truncate { .. } => before.name == record.name,
                Kind::Create | Kind::Link | Kind::Unlink { .. } | Kind::Rename => {
                    record.name == "."
                }
                Kind::Sync { .. } => false,
            };
        }
    }
    covered
}

/// How much of what was not durable is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// All of it.
    All,
    /// What came after some moment, the write at that moment torn.
    Suffix,
    /// Any part of it, some writes torn.
    Some,
    /// Everything since the start, as if there had been no fsync: what a test of the shim wants.
    Everything,
}

/// What became of a write that was not durable.
enum Fate {
    Kept,
    Lost,
    Torn,
}

impl Loss {
    /// In one of four the power stays.
    pub(crate) fn draw(rng: &mut Rng) -> Option<Self> {
        Some(match rng.below(12) {
            0..3 => return None,
            3..6 => Self::All,
            6..9 => Self::Suffix,
            _ => Self::Some,
        })
    }
}

/// Undoes what was not durable; gives how many changes were lost.
pub(crate) fn cut(dir: &Path, journal: &Path, loss: Loss, rng: &mut Rng) -> Result<u64, String> {
    let records = records(journal);
    let durable = durable(&records, loss != Loss::Everything);
    let open: Vec<usize> = (0..records.len()).filter(|at| !durable[*at]).collect();
    // What is behind this is lost, where the loss has an order: names always do.
    let edge = match loss {
        Loss::All | Loss::Everything => 0,
        Loss::Suffix | Loss::Some => {
            open.get(rng.below(open.len() as u64 + 1) as usize).copied().unwrap_or(records.len())
        }
    };
    let (mut lost, mut again) = (0, Vec::new());
    // Names whose file is gone for good at this moment: what is under them now is another file.
    let mut gone: HashSet<&str> = HashSet::new();
    for (at, record) in records.iter().enumerate().rev() {
        if matches!(record.kind, Kind::Unlink { .. }) && (durable[at] || at < edge) {
            gone.insert(&record.name);
        }
        if durable[at] || gone.contains(record.name.as_str()) {
            continue;
        }
        let fate = match loss {
            Loss::Suffix if at == edge && rng.below(2) == 0 => Fate::Torn,
            Loss::Some => match rng.below(8) {
                0 => Fate::Torn,
                1..5 => Fate::Kept,
                _ => Fate::Lost,
            },
            _ if at < edge => Fate::Kept,
            _ => Fate::Lost,
        };
        let undone = match record.kind {
            Kind::Write { .. } | Kind::Truncate { .. } => undo_contents(dir, record)?,
            Kind::Sync { .. } => continue,
            _ if at >= edge => undo_name(dir, journal, record).map(|()| None)?,
            _ => continue,
        };
        lost += u64::from(!matches!(fate, Fate::Kept));
        if let (Some(new), Fate::Kept | Fate::Torn) = (undone, &fate) {
            again.push((record, new, fate));
        }
    }
    for (record, new, fate) in again.into_iter().rev() {
        redo(dir, record, &new, &fate, rng)?;
    }
    // What only memory held.
    for name in fs::read_dir(dir).map_err(told)?.flatten().map(|entry| entry.path()) {
        if name.to_string_lossy().ends_with("-shm") && rng.below(2) == 0 {
            fs::remove_file(name).map_err(told)?;
        }
    }
    forget(journal)?;
    Ok(lost)
}

fn told(error: std::io::Error) -> String {
    format!("the power cut itself: {error}")
}

/// The file that a record is of; none when its name is gone.
fn file(dir: &Path, record: &Record) -> Option<File> {
    File::options().read(true).write(true).open(dir.join(&record.name)).ok()
}

/// Puts the old bytes and the old length back; gives what had been written.
fn undo_contents(dir: &Path, record: &Record) -> Result<Option<Vec<u8>>, String> {
    let Some(file) = file(dir, record) else { return Ok(None) };
    let (place, length, old_size) = match record.kind {
        Kind::Write { offset, length, old_size } => (offset, length, old_size),
        Kind::Truncate { length, old_size } => (length, 0, old_size),
        _ => return Ok(None),
    };
    let there = file.metadata().map_err(told)?.len();
    let mut new = vec![0; length.min(there.saturating_sub(place)) as usize];
    file.read_exact_at(&mut new, place).map_err(told)?;
    file.write_all_at(&record.old, place).map_err(told)?;
    file.set_len(old_size).map_err(told)?;
    Ok(Some(new))
}

/// Takes a name back, or gives it back.
fn undo_name(dir: &Path, journal: &Path, record: &Record) -> Result<(), String> {
    let path = dir.join(&record.name);
    let done = match record.kind {
        // The call may have failed, or death came before it.
        Kind::Create | Kind::Link => match fs::remove_file(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            done => done,
        },
        Kind::Unlink { kept } => {
            let _ = fs::remove_file(&path);
            fs::hard_link(format!("{}.{kept}", journal.display()), path)
        }
        Kind::Rename => match fs::rename(path, dir.join(&*String::from_utf8_lossy(&record.old))) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            done => done,
        },
        _ => Ok(()),
    };
    done.map_err(told)
}

/// Does again what was not lost, or the sectors of it that were not.
fn redo(dir: &Path, record: &Record, new: &[u8], fate: &Fate, rng: &mut Rng) -> Result<(), String> {
    let Some(file) = file(dir, record) else { return Ok(()) };
    let offset = match record.kind {
        Kind::Write { offset, .. } => offset,
        Kind::Truncate { length, .. } => return file.set_len(length).map_err(told),
        _ => return Ok(()),
    };
    let mut at = 0;
    while at < new.len() as u64 {
        let end = ((offset + at) / SECTOR + 1) * SECTOR - offset;
        let end = end.min(new.len() as u64);
        if matches!(fate, Fate::Kept) || rng.below(2) == 0 {
            let part = &new[at as usize..end as usize];
            file.write_all_at(part, offset + at).map_err(told)?;
        }
        at = end;
    }
    Ok(())
}

/// Gives how many records there are, and takes a torn end away: the next process goes on there.
pub(crate) fn go_on(journal: &Path) -> Result<usize, String> {
    let records = records(journal);
    let whole = records.iter().map(|record| HEAD + record.name.len() + record.old.len());
    let length = whole.sum::<usize>() as u64;
    match File::options().write(true).open(journal) {
        Ok(file) => file.set_len(length).map_err(told)?,
        Err(_) if length == 0 => {}
        Err(error) => return Err(told(error)),
    }
    Ok(records.len())
}

/// Forgets the journal and what was kept beside it, once the power was cut.
fn forget(journal: &Path) -> Result<(), String> {
    let (Some(folder), Some(name)) = (journal.parent(), journal.file_name()) else { return Ok(()) };
    for path in fs::read_dir(folder).map_err(told)?.flatten().map(|entry| entry.path()) {
        let other = path.file_name().unwrap_or_default().to_string_lossy();
        if other.starts_with(&*name.to_string_lossy()) {
            fs::remove_file(&path).map_err(told)?;
        }
    }
    Ok(())
}
