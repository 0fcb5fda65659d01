//! The command line: what was typed becomes a configuration, a token, or a running server.
//!
//! stdout is for programs (`listening ADDR`, `ready`, tokens), stderr for people. Exit codes: 0 well,
//! 1 failed, 2 typed wrongly.

mod arguments;
mod check;
mod logging;
mod output;
mod serve;
mod token;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use stentor::config::{Config, file};

use arguments::{Arguments, Command, ServeArguments};
use output::complain;

/// Does what was typed.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        None => serve::serve(&arguments.serve),
        Some(Command::Serve(serve)) => serve::serve(&serve),
        Some(Command::Check(check)) => return check::check(&check),
        Some(Command::Token(token)) => token::token(&token),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&format!("error: {failure}"));
            ExitCode::FAILURE
        }
    }
}

/// Why a command failed, in words for the person who typed it.
#[derive(Debug)]
struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// A configuration, where it came from, and what to warn of.
struct Configured {
    config: Config,
    file: Option<std::path::PathBuf>,
    warnings: Vec<String>,
}

/// File, then environment, then flags.
fn configure(arguments: &ServeArguments) -> Result<Configured, Failure> {
    let mut config = Config::default();
    let default = Path::new(file::NAME);
    let file = arguments.config.clone().or_else(|| default.exists().then(|| default.to_owned()));
    if let Some(path) = &file {
        config.read_file(path)?;
    }
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
    let mut warnings = config.environment(variables)?;
    for pair in &arguments.set {
        config.set_pair(pair).map_err(|error| Failure(format!("--set {error}")))?;
    }
    for listen in &arguments.listen {
        config.listen.extend(listen.0.iter().copied());
    }
    for (flag, file) in
        [(&arguments.tls_cert, &mut config.tls.cert), (&arguments.tls_key, &mut config.tls.key)]
    {
        if flag.is_some() {
            file.clone_from(flag);
        }
    }
    config.data.clone_from(&arguments.data);
    config.ephemeral = arguments.ephemeral;
    config.loops = arguments.loops.map(usize::from);
    if arguments.no_limits {
        config.lift_limits();
        warnings.push(
            "--no-limits: no rates, no counts of connections or requests; for laboratories only"
                .to_owned(),
        );
    }
    config.finish()?;
    Ok(Configured { config, file, warnings })
}
