//! Tools of this machine that a test may need: found, run, and what is left out without them said.
//!
//! Law: what is left out is said on the process's own stderr, which `cargo test` does not swallow.
//! What is built lies beside the binaries, apart for each checkout that shares them.

use std::collections::hash_map::DefaultHasher;
use std::ffi::{OsStr, OsString};
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Says what is not tested here, and why.
pub(crate) fn left_out(what: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "LEFT OUT: {what}: {why}");
}

/// Runs a command to its end; its output is shown when it should have worked and did not.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().expect("it can be started");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}\n{}\n{}",
        said(&output.stdout),
        said(&output.stderr)
    );
    output
}

pub(crate) fn works(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Whether all these tools are there; says so if not.
pub(crate) fn has(what: &str, tools: &mut [Command]) -> bool {
    for tool in tools {
        if !works(tool) {
            left_out(what, &format!("{tool:?} does not work here"));
            return false;
        }
    }
    true
}

pub(crate) fn version(tool: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(tool);
    command.arg("--version");
    command
}

/// A directory for what is built, kept from one run to the next. CMake's cache names the sources
/// that it is of, so two checkouts with one target directory have two.
pub(crate) fn built(name: &str) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    ROOT.hash(&mut hasher);
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{:016x}", hasher.finish()))
}

/// Python: `python3`, or what `STENTOR_PYTHON` names.
pub(crate) fn python() -> OsString {
    std::env::var_os("STENTOR_PYTHON").unwrap_or_else(|| "python3".into())
}

/// A Python that can import these.
pub(crate) fn python_with(modules: &str) -> Command {
    let mut command = Command::new(python());
    command.args(["-c", &format!("import {modules}")]);
    command
}

/// The published schema as Python modules, made by `protoc`.
pub(crate) fn python_schema() -> PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let generated = built("python");
        std::fs::create_dir_all(&generated).expect("a directory");
        let proto = Path::new(ROOT).join("proto");
        let schema = std::fs::read_dir(proto.join("stentor/v1")).expect("the schema");
        let mut protoc = Command::new("protoc");
        protoc.arg("--proto_path").arg(&proto).arg("--python_out").arg(&generated);
        run(protoc.args(schema.map(|file| file.expect("a file").path())));
        generated
    };
    MADE.get_or_init(make).clone()
}
