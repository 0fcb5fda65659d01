//! What can be typed. Everything else of the server is configured by `--set` or a file.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use stentor::auth::Role;

/// A real-time messaging server: WebSocket, TCP lines and HTTP share one port and one set of rooms.
#[derive(Debug, Parser)]
#[command(name = "stentor", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "Without a command it serves, on port 5000 of this machine.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) serve: ServeArguments,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Runs the server; the same as no command
    Serve(ServeArguments),
    /// Looks whether the server could start: one line for each thing, ok, warn or fail
    Check(CheckArguments),
    /// Makes tokens, signed with the key of the data directory
    Token(TokenArguments),
}

#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    /// Where to listen; repeatable, port 0 is a free one [default: 127.0.0.1:5000 and [::1]:5000]
    #[arg(long, value_name = "ADDR", value_parser = addresses)]
    pub(super) listen: Vec<Listen>,
    /// Where data and the token key are kept [default: ./stentor-data]
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// Keep nothing on disk but the key, and that only with --data
    #[arg(long)]
    pub(super) ephemeral: bool,
    /// Loop threads [default: as many as cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(super) loops: Option<u16>,
    /// A configuration file [default: stentor.toml where there is one]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Set one key, over file and environment; repeatable; `stentor check --keys` lists them
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Speak TLS too, on the same ports: the certificate with its chain, in PEM
    #[arg(long, value_name = "FILE")]
    pub(super) tls_cert: Option<PathBuf>,
    /// The private key of that certificate, in PEM; both are read again on SIGHUP
    #[arg(long, value_name = "FILE")]
    pub(super) tls_key: Option<PathBuf>,
    /// Lift all rates and counts, for laboratories and load tests
    #[arg(long)]
    pub(super) no_limits: bool,
    /// How log lines look on stderr
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(super) log_format: LogFormat,
}

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// List every key with its default and do nothing else
    #[arg(long)]
    pub(super) keys: bool,
    #[command(flatten)]
    pub(super) serve: ServeArguments,
}

#[derive(Debug, Args)]
pub(super) struct TokenArguments {
    /// The user's id: 1 to 64 of A-Z a-z 0-9 . _ -
    #[arg(long, value_name = "ID")]
    pub(super) sub: String,
    /// What the token allows
    #[arg(long, value_enum)]
    pub(super) role: RoleWord,
    /// A team whose executions the bearer may see; repeatable
    #[arg(long = "team", value_name = "T")]
    pub(super) teams: Vec<String>,
    /// A name to call the bearer by
    #[arg(long, value_name = "N")]
    pub(super) name: Option<String>,
    /// How long the token lives: 90s, 15m, 24h, 7d
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "24h")]
    pub(super) ttl: Duration,
    /// Make so many, for ID-1, ID-2…, a line each
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) count: Option<u32>,
    /// Where the key is kept; made when there is none
    #[arg(long, value_name = "DIR", default_value = stentor::launch::DATA)]
    pub(super) data: PathBuf,
}

/// What one `--listen` names: a host name may be several addresses.
#[derive(Clone, Debug)]
pub(super) struct Listen(pub(super) Vec<SocketAddr>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum RoleWord {
    User,
    Service,
    Admin,
}

impl From<RoleWord> for Role {
    fn from(word: RoleWord) -> Self {
        match word {
            RoleWord::User => Self::User,
            RoleWord::Service => Self::Service,
            RoleWord::Admin => Self::Admin,
        }
    }
}

fn addresses(text: &str) -> Result<Listen, String> {
    const FORM: &str = "write it as 127.0.0.1:5000, [::1]:5000 or localhost:5000";
    let found = text.to_socket_addrs().map_err(|error| format!("{error}; {FORM}"))?;
    let found: Vec<_> = found.collect();
    if found.is_empty() { Err(format!("no such address; {FORM}")) } else { Ok(Listen(found)) }
}

/// A number and its unit: s, m, h or d.
fn duration(text: &str) -> Result<Duration, String> {
    const FORM: &str = "write it as 90s, 15m, 24h or 7d";
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
    let parsed = units.iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(*unit)?.parse().ok()?;
        number.checked_mul(*seconds)
    });
    // A thousand years: what is longer does not fit a time stamp that people can read.
    const LONGEST_S: u64 = 1000 * 365 * 86_400;
    match parsed {
        Some(seconds @ 1..=LONGEST_S) => Ok(Duration::from_secs(seconds)),
        _ => Err(FORM.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help() {
        insta::assert_snapshot!(Arguments::command().term_width(100).render_long_help());
    }

    #[test]
    fn help_for_tokens() {
        let mut command = Arguments::command().term_width(100);
        command.build();
        let token = command.find_subcommand_mut("token").expect("a command");
        insta::assert_snapshot!(token.render_long_help());
    }

    #[test]
    fn what_is_typed_is_understood_or_refused() {
        for (line, good) in [
            ("stentor", true),
            ("stentor --listen 127.0.0.1:0 --listen [::1]:0 --ephemeral --loops 2", true),
            ("stentor serve --set limits.dead_ms=5 --log-format json", true),
            ("stentor check --keys", true),
            ("stentor token --sub ana --role admin --team a --team b --ttl 7d --count 3", true),
            ("stentor --listen 5000", false),
            ("stentor --loops 0", false),
            ("stentor --log-format xml", false),
            ("stentor --tls-cert cert.pem --tls-key key.pem", true),
            ("stentor --tls-cert", false),
            ("stentor token --sub ana", false),
            ("stentor token --sub ana --role root", false),
            ("stentor token --sub ana --role user --ttl soon", false),
            ("stentor token --sub ana --role user --count 0", false),
            ("stentor frobnicate", false),
        ] {
            let parsed = Arguments::try_parse_from(line.split(' '));
            assert_eq!(parsed.is_ok(), good, "{line}: {:?}", parsed.map(|_| ()));
        }
    }

    #[test]
    fn durations() {
        for (text, seconds) in [("90s", Some(90)), ("24h", Some(86_400)), ("7d", Some(604_800))] {
            assert_eq!(duration(text).ok().map(|time| time.as_secs()), seconds, "{text}");
        }
        for wrong in ["", "h", "0s", "1.5h", "5", "5 h", "-1s", "99999999999999999999d", "400000d"]
        {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
