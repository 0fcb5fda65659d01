//! `stentor` and `stentor serve`: the server, and what to say when it is ready.

use std::fmt::Write as _;
use std::net::SocketAddr;

use stentor::launch::{self, Data, Launched, Secrecy};

use super::arguments::{LogFormat, ServeArguments};
use super::output::{complain, tell};
use super::{Configured, Failure, configure, logging};

/// Runs until it is told to stop.
pub(super) fn serve(arguments: &ServeArguments) -> Result<(), Failure> {
    let Configured { config, file, mut warnings } = configure(arguments)?;
    logging::start(arguments.log_format);
    let launched = launch::launch(config)?;
    warnings.extend(exposed(launched.local_addrs(), launched.secrecy()));
    if arguments.log_format == LogFormat::Text {
        complain(&banner(&launched, file.as_deref()));
    }
    for warning in warnings {
        log::warn!("{warning}");
    }
    for address in launched.local_addrs() {
        tell(&format!("listening {address}"))?;
    }
    tell("ready")?;
    log::info!("ready");
    launched.run()?;
    log::info!("stopped");
    Ok(())
}

/// What to click, what to type, and where everything is.
fn banner(launched: &Launched, file: Option<&std::path::Path>) -> String {
    let mut text = format!("stentor {}\n\n", env!("CARGO_PKG_VERSION"));
    let address = launched.local_addrs().first().copied();
    if let Some(address) = address {
        links(&mut text, address, launched.secrecy());
    }
    let data = match launched.data() {
        Data::Disk { dir, new: true } => format!("{} (new)", dir.display()),
        Data::Disk { dir, new: false } => dir.display().to_string(),
        Data::Memory { key: None } => "in memory: gone when the server stops".to_owned(),
        Data::Memory { key: Some(dir) } => {
            format!(
                "in memory: gone when the server stops; the token key stays in {}",
                dir.display()
            )
        }
    };
    let config = file.map_or_else(|| "defaults".to_owned(), |file| file.display().to_string());
    // Writing to a string cannot fail.
    let _ = write!(text, "  data       {data}\n  config     {config}\n");
    text
}

fn links(text: &mut String, address: SocketAddr, secrecy: Secrecy) {
    // Whoever listens everywhere can be reached here.
    let ip = match address.ip() {
        ip if ip.is_unspecified() && ip.is_ipv4() => std::net::Ipv4Addr::LOCALHOST.into(),
        ip if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let here = SocketAddr::new(ip, address.port());
    let (s, nc) = if secrecy == Secrecy::None { ("", "nc") } else { ("s", "ncat --ssl") };
    let _ = write!(
        text,
        "  browser    http{s}://{here}/\n\
         \x20 websocket  ws{s}://{here}/ws\n\
         \x20 terminal   {nc} {ip} {port}\n\
         \x20            then type: help\n\
         \x20            or: {{\"type\":\"register\",\"username\":\"ana\",\"password\":\"at least 8 letters\"}}\n\
         \x20 health     http{s}://{here}/readyz    metrics  http{s}://{here}/metrics\n",
        port = here.port(),
    );
}

/// A warning when others than this machine can connect.
fn exposed(addresses: &[SocketAddr], secrecy: Secrecy) -> Option<String> {
    let open = addresses.iter().find(|address| !address.ip().to_canonical().is_loopback())?;
    let but = match secrecy {
        Secrecy::None => {
            ", and nothing is encrypted; --tls-cert and --tls-key help against that, \
             or a proxy that ends TLS in front, or listening on 127.0.0.1"
        }
        Secrecy::Offered => {
            ", and what does not begin with TLS is not encrypted; tls.required=true refuses it"
        }
        Secrecy::Required => "",
    };
    Some(format!("whoever reaches {open} can make an account{but}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Secrecy; 3] = [Secrecy::None, Secrecy::Offered, Secrecy::Required];

    #[test]
    fn links_can_be_clicked_wherever_it_listens() {
        for (address, link, host) in [
            ("127.0.0.1:5000", "127.0.0.1:5000/\n", "127.0.0.1 5000\n"),
            ("[::1]:5000", "[::1]:5000/\n", "::1 5000\n"),
            ("0.0.0.0:80", "127.0.0.1:80/\n", "127.0.0.1 80\n"),
            ("[::]:80", "[::1]:80/\n", "::1 80\n"),
        ] {
            for (secrecy, scheme, nc) in [
                (Secrecy::None, "http", "nc"),
                (Secrecy::Offered, "https", "ncat --ssl"),
                (Secrecy::Required, "https", "ncat --ssl"),
            ] {
                let mut text = String::new();
                links(&mut text, address.parse().unwrap(), secrecy);
                assert!(text.contains(&format!("browser    {scheme}://{link}")), "{text}");
                assert!(text.contains(&format!("terminal   {nc} {host}")), "{text}");
            }
        }
    }

    #[test]
    fn only_an_open_door_is_warned_of() {
        let addresses = |list: &[&str]| -> Vec<SocketAddr> {
            list.iter().map(|address| address.parse().unwrap()).collect()
        };
        let here = addresses(&["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"]);
        assert_eq!(ALL.map(|secrecy| exposed(&here, secrecy)), [None, None, None]);
        let open = addresses(&["127.0.0.1:1", "0.0.0.0:2"]);
        let [none, offered, required] = ALL.map(|secrecy| exposed(&open, secrecy).unwrap());
        assert_eq!(required, "whoever reaches 0.0.0.0:2 can make an account");
        assert!(none.contains("nothing is encrypted; --tls-cert"), "{none}");
        assert!(offered.contains("; tls.required=true refuses it"), "{offered}");
    }
}
