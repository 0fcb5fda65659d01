//! `stentor check`: whether the server could start, one line for each thing: ok, warn or fail.
//!
//! Law: nothing is made that was not there. Limit: a database that is there is opened, which a
//! server that runs meanwhile forbids; that is a warning.

use std::path::Path;
use std::process::ExitCode;

use stentor::auth::jwt::OwnKey;
use stentor::config::{Config, reference};
use stentor::guard::origin::Origins;
use stentor::launch::{self, DATA, bind};
use stentor::server;
use stentor::store::sqlite::{OpenError, Options, SqliteStore};

use super::arguments::CheckArguments;
use super::output::tell;
use super::{Configured, configure};

/// What was found.
enum Finding {
    Ok(String),
    Warn(String),
    Fail(String),
}

use Finding::{Fail, Ok as Fine, Warn};

/// Prints the findings; fails when one of them is a failure.
pub(super) fn check(arguments: &CheckArguments) -> ExitCode {
    if arguments.keys {
        return code(tell(reference().trim_end()).is_ok());
    }
    let findings = match configure(&arguments.serve) {
        Err(error) => vec![("config", Fail(error.to_string()))],
        Ok(configured) => findings(&configured),
    };
    let mut good = true;
    for (what, finding) in findings {
        let (word, text) = match finding {
            Fine(text) => ("ok", text),
            Warn(text) => ("warn", text),
            Fail(text) => ("fail", text),
        };
        good &= word != "fail";
        // A line each: what has several is joined.
        let text = text.split('\n').map(str::trim).collect::<Vec<_>>().join("; ");
        good &= tell(&format!("{word:<4} {what:<7} {text}")).is_ok();
    }
    code(good)
}

fn code(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn findings(configured: &Configured) -> Vec<(&'static str, Finding)> {
    let Configured { config, file, warnings } = configured;
    let from = file.as_ref().map_or("defaults".to_owned(), |file| file.display().to_string());
    let mut findings = vec![("config", Fine(from))];
    findings.extend(warnings.iter().map(|warning| ("config", Warn(warning.clone()))));
    findings.push(match Origins::new(&config.allowed_origins, true) {
        Ok(_) if config.allowed_origins.is_empty() => ("origins", Fine("the server's own".into())),
        Ok(_) => ("origins", Fine(config.allowed_origins.join(", "))),
        Err(error) => ("origins", Fail(error.to_string())),
    });
    findings.push(("tls", tls(config)));
    findings.push(("listen", listen(config)));
    findings.push(("files", descriptors(config)));
    if config.ephemeral {
        findings.push(("data", Fine("in memory".into())));
    } else {
        let dir = config.data.as_deref().unwrap_or(Path::new(DATA));
        findings.push(("data", data(dir)));
        findings.push(("key", key(dir)));
    }
    findings
}

fn tls(config: &Config) -> Finding {
    match launch::tls(config) {
        Err(error) => Fail(error.to_string()),
        Ok(None) => Fine("none: what is said can be read on the way".into()),
        Ok(Some(tls)) => match (tls.warning(), tls.days_left()) {
            (Some(warning), _) => Warn(warning),
            (None, Some(days @ ..14)) => Warn(format!("the certificate ends in {days} days")),
            (None, Some(days)) => Fine(format!("the certificate is good for {days} days")),
            (None, None) => Fine("a certificate that does not say how long it is good".into()),
        },
    }
}

fn listen(config: &Config) -> Finding {
    match bind(&config.listen) {
        Err(error) => Fail(error.to_string()),
        Ok(listeners) => {
            let addresses = listeners.iter().filter_map(|listener| listener.local_addr().ok());
            Fine(addresses.map(|address| address.to_string()).collect::<Vec<_>>().join(", "))
        }
    }
}

/// Whether there are descriptors for as many connections as are configured.
fn descriptors(config: &Config) -> Finding {
    let Ok((room, limit)) = server::capacity() else {
        return Warn("the limit of open files cannot be read".into());
    };
    match config.guard.connections {
        Some(most) if u64::from(most) > room => Warn(format!(
            "open files limited to {limit}, so to {room} connections of {most}; \
             raise it with: ulimit -n {}",
            u64::from(most) + 256
        )),
        _ => Fine(format!("room for {room} connections")),
    }
}

fn data(dir: &Path) -> Finding {
    let database = dir.join("stentor.db");
    let shown = database.display();
    if database.exists() {
        return match SqliteStore::open(dir, Options::default()) {
            Ok(_) => Fine(format!("{shown} opens")),
            Err(error @ OpenError::InUse { .. }) => Warn(error.to_string()),
            Err(error) => Fail(error.to_string()),
        };
    }
    // The nearest directory that is there has to let the rest be made.
    let whole = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let Some(there) = whole.ancestors().find(|ancestor| ancestor.exists()) else {
        return Fail(format!("{} leads nowhere", dir.display()));
    };
    match probe(there) {
        Ok(()) => Fine(format!("{shown} would be made")),
        Err(error) => Fail(format!("{}: {error}", there.display())),
    }
}

/// Whether a file can be made here; it is taken away again.
fn probe(dir: &Path) -> std::io::Result<()> {
    let path = dir.join(format!(".stentor-check-{}", std::process::id()));
    std::fs::File::create_new(&path)?;
    std::fs::remove_file(path)
}

fn key(dir: &Path) -> Finding {
    let path = dir.join("token.key");
    if !path.exists() {
        return Fine(format!("{} would be made", path.display()));
    }
    match OwnKey::load_or_create(dir) {
        Ok(_) => Fine(path.display().to_string()),
        Err(error) => Fail(error.to_string()),
    }
}
