//! Which process listens on a port, as far as `/proc` tells it (proc(5)).
//!
//! Limit: Linux; of the processes of others only root sees the sockets. Elsewhere nothing is found.
#![expect(clippy::disallowed_methods, reason = "the kernel tells this in files")]

use std::fs;
use std::path::Path;

/// The name and number of the process that listens on `port`.
pub(super) fn of(port: u16) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let inode = tables.iter().find_map(|table| inode(&fs::read_to_string(table).ok()?, port))?;
    let socket = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
    let holder = processes.filter(|path| is_process(path)).find(|process| has(process, &socket))?;
    let name = fs::read_to_string(holder.join("comm")).ok()?;
    Some(format!("{} (pid {})", name.trim_end(), holder.file_name()?.to_str()?))
}

/// Not `self`, and nothing else that is there.
fn is_process(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The inode of the socket that listens on `port`, from a table of sockets.
fn inode(table: &str, port: u16) -> Option<u64> {
    const LISTEN: &str = "0A";
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let here = u16::from_str_radix(local, 16).ok()? == port && *fields.get(3)? == LISTEN;
        here.then(|| fields.get(9)?.parse().ok()).flatten()
    })
}

fn has(process: &Path, socket: &str) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else { return false };
    descriptors
        .flatten()
        .any(|entry| fs::read_link(entry.path()).is_ok_and(|link| link.as_os_str() == socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listening_socket_of_a_port() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0\n\
            \x20  1: 0100007F:1389 0100007F:9000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0\n";
        assert_eq!(inode(table, 5000), Some(4711));
        assert_eq!(inode(table, 5001), None, "a connection does not listen");
        assert_eq!(inode("", 5000), None);
    }
}
