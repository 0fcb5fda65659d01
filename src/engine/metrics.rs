//! What an engine counts.

use crate::handler::{Door, Kind};
use crate::metrics::{Seconds, labels, rows};
use crate::protocol::http;

labels! {
    /// How a connection speaks.
    pub enum DoorLabel: "door" {
        /// RFC 6455.
        WebSocket = "websocket",
        /// Newline-delimited lines.
        Lines = "lines",
    }
}

impl DoorLabel {
    pub(super) const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Line => Self::Lines,
            Kind::Text | Kind::Binary => Self::WebSocket,
        }
    }
}

impl From<Door> for DoorLabel {
    fn from(door: Door) -> Self {
        match door {
            Door::WebSocket => Self::WebSocket,
            Door::Lines => Self::Lines,
        }
    }
}

labels! {
    /// The class of an event that was dropped.
    pub enum DropLabel: "class" {
        /// For a newer one of its channel.
        DropOldest = "drop_oldest",
        /// Because there was no room for it.
        DropNewest = "drop_newest",
        /// For the newest of its channel.
        Latest = "latest",
    }
}

labels! {
    /// The status of a request that broke the rules of HTTP or its limits.
    pub enum BadRequest: "status" {
        /// Not HTTP, or HTTP that could be understood in two ways.
        Malformed = "400",
        /// The body is too large.
        ContentTooLarge = "413",
        /// The request line is too long.
        UriTooLong = "414",
        /// The head has too many bytes or fields.
        HeaderFieldsTooLarge = "431",
        /// A version of HTTP that is not spoken here.
        VersionNotSupported = "505",
    }
}

impl From<http::Error> for BadRequest {
    fn from(error: http::Error) -> Self {
        match error {
            http::Error::BadRequest(_) => Self::Malformed,
            http::Error::ContentTooLarge => Self::ContentTooLarge,
            http::Error::UriTooLong => Self::UriTooLong,
            http::Error::HeaderFieldsTooLarge => Self::HeaderFieldsTooLarge,
            http::Error::VersionNotSupported => Self::VersionNotSupported,
        }
    }
}

rows! {
    /// The rows of one loop's engine.
    pub struct Metrics {
        /// Connections accepted.
        accepted: Counter = "stentor_connections_accepted_total",
        /// From a WebSocket ping of ours to its pong.
        round_trips: Histogram[Seconds] = "stentor_round_trip_seconds",
        /// Connections open now, whatever they speak.
        connections: Gauge = "stentor_connections",
        /// Connections that have said how they speak, by door.
        opened: Counter[DoorLabel] = "stentor_connections_opened_total",
        /// Connections refused because there was no room.
        refused: Counter = "stentor_connections_refused_total",
        /// Messages translated for connections that speak no text.
        translated: Counter = "stentor_translated_total",
        /// Messages that could not be translated, and were not sent.
        untranslatable: Counter = "stentor_untranslatable_total",
        /// Connections whose first bytes are nothing we speak.
        unspoken: Counter = "stentor_connections_unspoken_total",
        /// Connections refused because they are not encrypted.
        exposed_refused: Counter = "stentor_connections_exposed_refused_total",
        /// Connections that did not say in time how they speak.
        sniff_timeouts: Counter = "stentor_sniff_timeouts_total",
        /// Requests that took too long.
        http_timeouts: Counter = "stentor_http_timeouts_total",
        /// Messages and lines that were not whole in time.
        message_timeouts: Counter = "stentor_message_timeouts_total",
        /// Requests that broke the rules of HTTP or its limits, by status.
        requests_refused: Counter[BadRequest] = "stentor_http_requests_refused_total",
        /// Upgrades to WebSocket refused.
        upgrades_refused: Counter = "stentor_upgrades_refused_total",
        /// Connections closed because the peer broke the rules of its protocol.
        violations: Counter = "stentor_protocol_violations_total",
        /// Connections closed because they did not read what was sent.
        slow_consumers: Counter = "stentor_slow_consumers_total",
        /// Events that slow connections were not sent, by the class of their channel.
        dropped: Counter[DropLabel] = "stentor_events_dropped_total",
        /// Gaps told to slow connections instead; one that grows is one.
        gaps: Counter = "stentor_gaps_total",
        /// Connections closed without a sign of life.
        dead: Counter = "stentor_connections_dead_total",
        /// Closing handshakes that took too long.
        close_timeouts: Counter = "stentor_close_timeouts_total",
        /// Connections that we closed with a code.
        closed_by_us: Counter = "stentor_connections_closed_by_server_total",
        /// WebSocket connections that agreed on permessage-deflate.
        deflate_agreed: Counter = "stentor_deflate_agreed_total",
        /// Messages given to a compressor; a broadcast once by each loop for each size of window.
        deflate_compressed: Counter = "stentor_deflate_compressed_total",
        /// Messages sent compressed.
        deflate_sent: Counter = "stentor_deflate_sent_total",
        /// Bytes that were not sent because the messages were compressed.
        deflate_saved_bytes: Counter = "stentor_deflate_saved_bytes_total",
        /// Bytes reserved for the contexts of connections.
        deflate_reserved_bytes: Gauge = "stentor_deflate_reserved_bytes",
        /// Connections without a context of their own because there was no memory for it.
        deflate_refused: Counter = "stentor_deflate_refused_total",
        /// HTTP requests that are no upgrade.
        requests: Counter = "stentor_http_requests_total",
        /// Messages received, by door.
        received: Counter[DoorLabel] = "stentor_messages_received_total",
        /// Messages sent, by door.
        sent: Counter[DoorLabel] = "stentor_messages_sent_total",
        /// Bytes received.
        received_bytes: Counter = "stentor_received_bytes_total",
        /// Bytes sent from queues.
        sent_bytes: Counter = "stentor_sent_bytes_total",
        /// Bytes waiting to be sent.
        queued_bytes: Gauge = "stentor_queued_bytes",
    }
}
