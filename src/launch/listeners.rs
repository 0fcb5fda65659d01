//! Binding the addresses, and what to say when one is taken.
#![expect(clippy::disallowed_methods, reason = "whoever starts the server binds its listeners")]

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use super::holder;

/// The port when none is named.
const PORT: u16 = 5000;

/// An address that cannot be had.
#[derive(Debug)]
pub struct ListenError {
    /// Which.
    pub address: SocketAddr,
    /// What the system says.
    pub error: io::Error,
    /// The process that has it, when that can be found out.
    pub holder: Option<String>,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, error, holder } = self;
        write!(f, "cannot listen on {address}: ")?;
        match error.kind() {
            io::ErrorKind::AddrInUse => {
                f.write_str("the address is in use")?;
                if let Some(holder) = holder {
                    write!(f, "\n  held by: {holder}")?;
                }
                let other =
                    SocketAddr::new(address.ip(), address.port().checked_add(1).unwrap_or(0));
                write!(f, "\n  try:     stentor --listen {other}")?;
                if cfg!(target_os = "macos") && address.port() == PORT {
                    write!(
                        f,
                        "\n  macOS:   AirPlay Receiver uses {PORT}; see System Settings, AirDrop & Handoff"
                    )?;
                }
                Ok(())
            }
            io::ErrorKind::PermissionDenied if address.port() < 1024 => write!(
                f,
                "ports below 1024 are privileged\n  try:     stentor --listen {}",
                SocketAddr::new(address.ip(), PORT)
            ),
            io::ErrorKind::AddrNotAvailable => {
                f.write_str("this machine does not have that address")
            }
            _ => error.fmt(f),
        }
    }
}

impl std::error::Error for ListenError {}

/// Binds `addresses`; when there are none, port 5000 on loopback, over IPv6 too where there is any.
///
/// # Errors
/// The first address that cannot be had.
pub fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, ListenError> {
    if !addresses.is_empty() {
        return addresses.iter().map(|address| listen(*address)).collect();
    }
    let v4 = listen(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT))?;
    match listen(SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), PORT)) {
        Ok(v6) => Ok(vec![v4, v6]),
        Err(taken) if taken.error.kind() == io::ErrorKind::AddrInUse => Err(taken),
        Err(without) => {
            log::info!("no IPv6 here: {}", without.error);
            Ok(vec![v4])
        }
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).map_err(|error| {
        let taken = error.kind() == io::ErrorKind::AddrInUse;
        let holder = taken.then(|| holder::of(address.port())).flatten();
        ListenError { address, error, holder }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_use_is_told_with_another_to_try() {
        let first = bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let address = first[0].local_addr().unwrap();
        let error = bind(&[address]).unwrap_err().to_string();
        let next = address.port() + 1;
        assert!(error.starts_with(&format!("cannot listen on {address}: the address is in use")));
        assert!(error.contains(&format!("try:     stentor --listen 127.0.0.1:{next}")), "{error}");
        #[cfg(target_os = "linux")]
        assert!(error.contains(&format!("(pid {})", std::process::id())), "{error}");
    }

    #[test]
    fn each_address_gets_a_listener_and_a_foreign_one_none() {
        let two: Vec<SocketAddr> = vec!["127.0.0.1:0".parse().unwrap(); 2];
        let bound = bind(&two).unwrap();
        assert_eq!(bound.len(), 2);
        assert_ne!(bound[0].local_addr().unwrap(), bound[1].local_addr().unwrap());
        let error = bind(&["192.0.2.1:0".parse().unwrap()]).unwrap_err();
        assert!(error.to_string().contains("does not have that address"), "{error}");
    }
}
