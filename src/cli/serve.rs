//! `stentor` and `stentor serve`: the server, and what to say when it is ready.

use std::fmt::Write as _;
use std::net::SocketAddr;

use stentor::launch::{self, Data, Launched};

use super::arguments::{LogFormat, ServeArguments};
use super::output::{complain, tell};
use super::{Configured, Failure, configure, logging};

/// Runs until it is told to stop.
pub(super) fn serve(arguments: &ServeArguments) -> Result<(), Failure> {
    let Configured { config, file, mut warnings } = configure(arguments)?;
    logging::start(arguments.log_format);
    let launched = launch::launch(config)?;
    warnings.extend(exposed(launched.local_addrs()));
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
        links(&mut text, address);
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

fn links(text: &mut String, address: SocketAddr) {
    // Whoever listens everywhere can be reached here.
    let ip = match address.ip() {
        ip if ip.is_unspecified() && ip.is_ipv4() => std::net::Ipv4Addr::LOCALHOST.into(),
        ip if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let here = SocketAddr::new(ip, address.port());
    let _ = write!(
        text,
        "  browser    http://{here}/\n\
         \x20 websocket  ws://{here}/ws\n\
         \x20 terminal   nc {ip} {port}\n\
         \x20            then type: help\n\
         \x20            or: {{\"type\":\"register\",\"username\":\"ana\",\"password\":\"at least 8 letters\"}}\n\
         \x20 health     http://{here}/readyz    metrics  http://{here}/metrics\n",
        port = here.port(),
    );
}

/// A warning when others than this machine can connect.
fn exposed(addresses: &[SocketAddr]) -> Option<String> {
    let open = addresses.iter().find(|address| !address.ip().to_canonical().is_loopback())?;
    Some(format!(
        "whoever reaches {open} can make an account, and nothing is encrypted; \
         put a proxy that ends TLS in front, or listen on 127.0.0.1"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_can_be_clicked_wherever_it_listens() {
        for (address, link, nc) in [
            ("127.0.0.1:5000", "http://127.0.0.1:5000/\n", "nc 127.0.0.1 5000\n"),
            ("[::1]:5000", "http://[::1]:5000/\n", "nc ::1 5000\n"),
            ("0.0.0.0:80", "http://127.0.0.1:80/\n", "nc 127.0.0.1 80\n"),
            ("[::]:80", "http://[::1]:80/\n", "nc ::1 80\n"),
        ] {
            let mut text = String::new();
            links(&mut text, address.parse().unwrap());
            assert!(text.contains(link) && text.contains(nc), "{text}");
        }
    }

    #[test]
    fn only_an_open_door_is_warned_of() {
        let addresses = |list: &[&str]| -> Vec<SocketAddr> {
            list.iter().map(|address| address.parse().unwrap()).collect()
        };
        assert_eq!(exposed(&addresses(&["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"])), None);
        let warning = exposed(&addresses(&["127.0.0.1:1", "0.0.0.0:2"])).unwrap();
        assert!(warning.contains("whoever reaches 0.0.0.0:2"), "{warning}");
    }
}
