//! A disk that gets full: a small tmpfs in a mount namespace of its own, where that is allowed.
//!
//! Law: nothing is mounted for anybody else; the disk is gone when the test is.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use stentor::base::rng::Rng;

const MIB: usize = 48;

/// The process that holds the namespace.
pub(crate) struct Disk {
    holder: Child,
    /// Where the disk is, seen from outside.
    outside: PathBuf,
}

impl Disk {
    /// A new disk at `place`; none where this process may not mount.
    pub(crate) fn mount(place: &Path) -> Option<Self> {
        let script =
            format!("mount -t tmpfs -o size={MIB}m,mode=0700 none \"$0\" && echo up && read end");
        let mut holder = Command::new("unshare")
            .args(["-m", "sh", "-c", &script])
            .arg(place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut line = String::new();
        let up = BufReader::new(holder.stdout.take()?).read_line(&mut line).is_ok();
        let root = format!("/proc/{}/root", holder.id());
        let outside = Path::new(&root).join(place.strip_prefix("/").ok()?);
        if up && line == "up\n" {
            return Some(Self { holder, outside });
        }
        let _ = holder.kill();
        let _ = holder.wait();
        None
    }

    /// What brings a command into the namespace.
    pub(crate) fn enter(&self) -> Vec<String> {
        ["nsenter", "-t", &self.holder.id().to_string(), "-m", "--"].map(str::to_owned).into()
    }

    fn ballast(&self) -> PathBuf {
        self.outside.join("ballast")
    }

    /// Fills the disk but for some KiB, so that some more messages fit.
    pub(crate) fn fill(&self, rng: &mut Rng) -> Result<(), String> {
        let told = |error: std::io::Error| format!("ballast: {error}");
        let mut file = File::create(self.ballast()).map_err(told)?;
        while file.write_all(&[0; 65536]).is_ok() {}
        let length = file.metadata().map_err(told)?.len();
        file.set_len(length.saturating_sub(rng.below(64) * 4096)).map_err(told)
    }

    /// Makes room.
    pub(crate) fn empty(&self) {
        let _ = fs::remove_file(self.ballast());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
