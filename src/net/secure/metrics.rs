//! What is counted of encryption.

use crate::metrics::{Seconds, labels, rows};

labels! {
    /// Why an encrypted connection, or its handshake, failed.
    pub enum Broken: "reason" {
        /// The peer closed or was cut off.
        Gone = "gone",
        /// It took longer than `limits.tls_timeout_ms`.
        Timeout = "timeout",
        /// It sent more than a handshake has.
        TooLong = "too_long",
        /// What it sent is no TLS, or does not decrypt.
        Malformed = "malformed",
        /// No version, cipher suite or group in common.
        NothingShared = "nothing_shared",
        /// It wants to speak a protocol that is not spoken here (ALPN).
        Protocol = "protocol",
        /// It has no client certificate, or none that is trusted.
        Certificate = "certificate",
        /// It refused, by an alert: most often it does not trust our certificate.
        Alert = "alert",
        /// It broke the rules of TLS.
        Misbehaved = "misbehaved",
        /// The server goes down.
        Stopped = "stopped",
        /// Anything else.
        Other = "other",
    }
}

labels! {
    /// How reading the certificate again ended.
    pub enum Renewal: "result" {
        /// New connections get the new one.
        Ok = "ok",
        /// Something is wrong with it: they get the old one.
        Failed = "failed",
    }
}

rows! {
    /// The rows of one loop.
    pub struct Metrics {
        /// TLS handshakes done.
        handshakes: Counter = "stentor_tls_handshakes_total",
        /// TLS handshakes that failed, by reason.
        handshakes_failed: Counter[Broken] = "stentor_tls_handshakes_failed_total",
        /// TLS handshakes under way.
        handshaking: Gauge = "stentor_tls_handshaking",
        /// Time from the first byte to the end of the handshake.
        handshake_seconds: Histogram[Seconds] = "stentor_tls_handshake_seconds",
        /// Turns after which handshakes were left over, because their time was over.
        postponed: Counter = "stentor_tls_handshakes_postponed_total",
        /// Encrypted connections that failed after the handshake, by reason.
        broken: Counter[Broken] = "stentor_tls_broken_total",
        /// Encrypted connections that ended without close_notify.
        truncated: Counter = "stentor_tls_truncated_total",
        /// Readings of certificate and key while running.
        reloads: Counter[Renewal] = "stentor_tls_reloads_total",
        /// When the certificate ends, in seconds since 1970.
        not_after: Gauge = "stentor_tls_certificate_not_after_timestamp_seconds",
    }
}
