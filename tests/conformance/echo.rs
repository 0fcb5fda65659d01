//! `examples/echo.rs` as a process: on a free port, with compression, with TLS if it is wanted.
//!
//! Law: it runs to the end of the test and has nothing to complain about. It writes to stderr when a
//! thread panics, which a loop survives and a client need not notice.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The running echo; ended when dropped.
pub(crate) struct Echo {
    child: Child,
    log: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Echo {
    /// Starts the example that lies beside this program. `contexts` is how many MiB connections may
    /// take to keep their compression's context; without it, none does.
    pub(crate) fn start(folder: &Path, contexts: Option<u32>, tls: bool) -> io::Result<Self> {
        let program = std::env::current_exe()?.with_file_name("echo");
        let log = folder.join("echo.log");
        let mut command = Command::new(&program);
        command.args(["--port", "0"]);
        if let Some(mib) = contexts {
            command.args(["--contexts", &mib.to_string()]);
        }
        if tls {
            let (certificate, key) = certificate(folder)?;
            command.arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?);
        let mut child = command.spawn().map_err(|error| {
            let todo = "cargo build --release --example echo";
            io::Error::other(format!("{}: {error}: {todo}", program.display()))
        })?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        match line.trim_end().strip_prefix("listening ").map(str::parse) {
            Some(Ok(address)) => Ok(Self { child, log, address }),
            _ => {
                let _ = child.kill();
                child.wait()?;
                Err(io::Error::other(format!("the echo does not listen: {}", log.display())))
            }
        }
    }

    /// What is wrong with it after the test.
    pub(crate) fn trouble(&mut self) -> io::Result<Option<String>> {
        let log = self.log.display();
        Ok(if let Some(status) = self.child.try_wait()? {
            Some(format!("the echo ended, {status}: {log}"))
        } else if fs::metadata(&self.log)?.len() > 0 {
            Some(format!("the echo complains: {log}"))
        } else {
            None
        })
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A certificate that nobody signed, and its key: the suite asks for no more.
fn certificate(folder: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    let made = made.map_err(io::Error::other)?;
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    fs::write(&certificate, made.cert.pem())?;
    fs::write(&key, made.signing_key.serialize_pem())?;
    Ok((certificate, key))
}
