//! Status codes of a Close frame: RFC 6455 section 7.4 and the registry it opened.
//!
//! A code is a number, not an enum: 3000-4999 belong to libraries and applications.

use std::fmt;

use super::header::Role;

/// The status code of a close, RFC 6455 section 7.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server goes down, or the browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data that this endpoint does not take.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: what is reported of a Close frame without a code; never on the wire.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: what is reported of a connection that ended without a Close frame; never on the wire.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data that does not fit its kind, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: against the endpoint's policy.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message too large to be processed.
    pub const TOO_LARGE: Self = Self(1009);
    /// 1010: the client misses an extension; a server says so by refusing the handshake.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: an unexpected condition at this end.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: overloaded, try again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid answer from behind it.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: what is reported of a failed TLS handshake; never on the wire.
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// Whether a Close frame of the peer may carry this code, sections 7.4.1 and 7.4.2.
    ///
    /// 1004, 1005, 1006, 1015, everything below 1000, 1016-2999 and from 5000 on may not.
    #[must_use]
    pub const fn may_be_received(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// Whether an endpoint in the role `by` may put this code in a Close frame of its own.
    #[must_use]
    pub const fn may_be_sent(self, by: Role) -> bool {
        self.may_be_received() && !(self.0 == 1010 && matches!(by, Role::Server))
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_judged() {
        for code in 0..=u16::MAX {
            let fine = match code {
                1000..=1003 | 3000..=4999 => true,
                1007..=1014 => true,
                0..=999 | 1004..=1006 | 1015..=2999 | 5000.. => false,
            };
            assert_eq!(CloseCode(code).may_be_received(), fine, "{code}");
            assert_eq!(CloseCode(code).may_be_sent(Role::Client), fine, "{code}");
            assert_eq!(CloseCode(code).may_be_sent(Role::Server), fine && code != 1010, "{code}");
        }
    }
}
