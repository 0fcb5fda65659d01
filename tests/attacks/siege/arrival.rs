//! Whether the server has read what was sent, asked of the kernel (sock_diag(7)), so that two
//! pieces of an attack arrive as two: no pause is long enough, and any is too long ten thousand
//! times over.
//!
//! Limit: it tells of bytes, not of what the server made of them; Linux only, IPv4 only.

use std::io::{Error, ErrorKind, Result};
use std::net::{SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, sendto,
    socket_with,
};

use crate::peer::DEADLINE;

/// `SOCK_DIAG_BY_FAMILY` and `NLMSG_ERROR`, as the header of netlink has them.
const BY_FAMILY: u16 = 20;
const ERROR: u16 = 2;
/// `TCP_ESTABLISHED`, and the two names of `TCP_SYN_RECV`: the end of the handshake is on its way.
/// In every other state the server has said its last word.
const ESTABLISHED: u8 = 1;
const OPENING: [u8; 2] = [3, 12];
/// `INET_DIAG_INFO`, both as the bit that asks for it and as the type of what is answered.
const INFO: u16 = 2;
/// Where the kernel's `inet_diag_msg` and `tcp_info` have what is looked for.
const MESSAGE_AT: usize = 16;
const READ_QUEUE_AT: usize = MESSAGE_AT + 56;
const ATTRIBUTES_AT: usize = MESSAGE_AT + 72;
const RECEIVED_IN_INFO: usize = 128;

/// A line to the kernel's tables of sockets.
pub(crate) struct Kernel(OwnedFd);

impl Kernel {
    pub(crate) fn open() -> Self {
        let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC, Some(netlink::INET_DIAG));
        Self(socket.expect("a netlink socket"))
    }

    /// Waits until the other end has read the `sent` bytes of this connection, or ends it.
    pub(crate) fn wait(&self, stream: &TcpStream, sent: u64) {
        let begun = Instant::now();
        while !self.has_read(stream, sent).expect("the kernel answers") {
            assert!(begun.elapsed() < DEADLINE, "{sent} bytes were sent, and are not read");
            std::thread::yield_now();
        }
    }

    fn has_read(&self, stream: &TcpStream, sent: u64) -> Result<bool> {
        let far = match stream.peer_addr() {
            // Reset, and no longer a connection.
            Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(true),
            far => far?,
        };
        let (SocketAddr::V4(near), SocketAddr::V4(far)) = (stream.local_addr()?, far) else {
            return Err(Error::other("not IPv4"));
        };
        let kernel = netlink::SocketAddrNetlink::new(0, 0);
        sendto(&self.0, &request(far, near), SendFlags::empty(), &kernel)?;
        let mut buffer = [0; 1024];
        let (length, _) = recv(&self.0, &mut buffer, RecvFlags::empty())?;
        let answer = &buffer[..length];
        match u16::from_ne_bytes([answer[4], answer[5]]) {
            BY_FAMILY => Ok(match answer[MESSAGE_AT + 1] {
                ESTABLISHED => number(answer, READ_QUEUE_AT) == 0 && received(answer) >= sent,
                state => !OPENING.contains(&state),
            }),
            ERROR => match Errno::from_raw_os_error(-(number(answer, MESSAGE_AT) as i32)) {
                Errno::NOENT => Ok(true),
                error => Err(error.into()),
            },
            other => Err(Error::other(format!("a message of type {other}"))),
        }
    }
}

/// Asks for the end at `of` of the connection to `to`, and for its `tcp_info`.
fn request(of: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    const NOTHING: [u8; 12] = [0; 12];
    let (family, protocol, just_a_request) = (2, 6, 1_u16);
    let mut bytes = 72_u32.to_ne_bytes().to_vec();
    bytes.extend([BY_FAMILY.to_ne_bytes(), just_a_request.to_ne_bytes()].concat());
    bytes.extend([0; 8]);
    bytes.extend([family, protocol, INFO as u8, 0]);
    bytes.extend(u32::MAX.to_ne_bytes());
    bytes.extend([of.port().to_be_bytes(), to.port().to_be_bytes()].concat());
    bytes.extend([&of.ip().octets()[..], &NOTHING, &to.ip().octets(), &NOTHING].concat());
    // Any interface, and no cookie of an earlier answer.
    bytes.extend([[0; 4], [0xff; 4], [0xff; 4]].concat());
    bytes
}

fn number(answer: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(answer[at..at + 4].try_into().expect("four bytes"))
}

/// How many bytes the connection has received, by its `tcp_info`.
fn received(answer: &[u8]) -> u64 {
    let mut at = ATTRIBUTES_AT;
    while let Some(head) = answer.get(at..at + 4) {
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        if u16::from_ne_bytes([head[2], head[3]]) == INFO {
            let count = &answer[at + 4 + RECEIVED_IN_INFO..][..8];
            return u64::from_ne_bytes(count.try_into().expect("eight bytes"));
        }
        at += length.max(4).next_multiple_of(4);
    }
    panic!("the kernel counts no bytes of a connection: Linux 4.1 and later do");
}
