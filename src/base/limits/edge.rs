//! Bounds of connections that speak more than cleartext HTTP/1.1.

use crate::base::units::Span;

/// How long a client may take for its TLS handshake: three round trips of the slowest networks, and
/// the time of a loaded machine. It ends what sends a byte a minute.
pub const TLS_HANDSHAKE_TIMEOUT: Span = Span::from_secs(10);

/// Handshakes under way on one listener; the connection beyond it is closed. Each holds some 30 KiB
/// and makes the machine sign once, so that a flood of them costs at most 32 MiB.
pub const TLS_HANDSHAKES_MAX: usize = 1_024;

/// Sessions that one listener remembers for clients of TLS 1.2 that take no tickets, some 300 bytes
/// each.
pub const TLS_SESSIONS_MAX: usize = 1_024;

/// Certificates of one listener: each is told with a metric of its own.
pub const CERTIFICATES_MAX: usize = 256;

/// Streams at once on one connection of HTTP/2: what browsers and other proxies expect. Each may
/// hold [`HTTP2_STREAM_WINDOW`] of a request and [`HTTP2_SEND_BYTES_MAX`] of an answer.
pub const HTTP2_STREAMS_MAX: u32 = 128;

/// Streams that a client resets before they are taken up; beyond them the connection ends
/// (CVE-2023-44487).
pub const HTTP2_RESETS_PENDING_MAX: usize = 20;

/// How many more requests a client may break off on one connection than it lets come to an end.
/// A page that is left breaks off one for each of its parts.
pub const HTTP2_BROKEN_MAX: u64 = 256;

/// Bytes of one request's body that may wait to be read.
pub const HTTP2_STREAM_WINDOW: u32 = 256 * 1_024;

/// The same of all requests of one connection together.
pub const HTTP2_CONNECTION_WINDOW: u32 = 1_024 * 1_024;

/// Bytes of one answer that wait in the library for their client.
pub const HTTP2_SEND_BYTES_MAX: usize = 64 * 1_024;

/// How often a client of HTTP/2 is asked whether it is there.
pub const HTTP2_PING_EVERY: Span = Span::from_secs(30);

/// How long it may take to say so.
pub const HTTP2_PING_TIMEOUT: Span = Span::from_secs(20);
