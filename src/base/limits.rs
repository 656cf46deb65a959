//! Every bound of the program, each with the reason for its size. Settings may lower some of them;
//! nothing may grow without one.

use crate::base::units::Span;

mod calls;
mod edge;
mod level;

pub use calls::*;
pub use edge::*;
pub use level::*;

/// A request head longer than this is refused with 431. Browsers and API clients stay below 16 KiB;
/// four times that leaves room for large tokens and keeps ten thousand slow heads under 1 GiB.
pub const HEAD_BYTES_MAX: usize = 64 * 1_024;

/// Field lines in one request head; what nginx and hyper accept by default.
pub const HEAD_LINES_MAX: usize = 100;

/// Field lines in one origin answer: frameworks that emit many cookies stay below it.
pub const ORIGIN_HEAD_LINES_MAX: usize = 256;

/// The origin's answer head in bytes.
pub const ORIGIN_HEAD_BYTES_MAX: usize = 256 * 1_024;

/// Ballast allowed in chunk extensions and trailers of one request body. Honest clients send none.
pub const CHUNK_BALLAST_BYTES_MAX: usize = 16 * 1_024;

/// Silence allowed before and between request heads on one connection.
pub const HEAD_TIMEOUT: Span = Span::from_secs(30);

/// Age, lifetime and every other count of seconds saturate here (RFC 9111, 1.2.2).
pub const DELTA_SECONDS_MAX: u64 = 1 << 31;

/// The longest heuristic freshness (RFC 9111, 4.2.2 leaves it to the cache).
pub const HEURISTIC_MAX: Span = Span::from_secs(86_400);

/// Variants kept under one key; the least used goes. Real APIs vary on language and coding.
pub const VARIANTS_PER_KEY_MAX: usize = 16;

/// Field names in one `Vary` that a key can follow; beyond them the answer is not stored.
pub const VARY_NAMES_MAX: usize = 16;

/// Ranges honoured in one request; beyond them the whole is sent (RFC 9110, 14.2).
pub const RANGES_MAX: usize = 16;

/// A body that selectors, `inject` or templates read as JSON, unless a rule says otherwise.
pub const JSON_BYTES_MAX: u64 = 1_024 * 1_024;

/// Nesting of JSON that is read; deeper bodies have no parts.
pub const JSON_DEPTH_MAX: usize = 64;

/// The longest key, tag or selector. Longer ones would cost more to index than to fetch.
pub const KEY_BYTES_MAX: usize = 8 * 1_024;

/// Tags on one entry.
pub const TAGS_PER_ENTRY_MAX: usize = 64;

/// The same with those that an entry may have by itself, for its resource and its tenant.
pub const LABEL_TAGS_MAX: usize = TAGS_PER_ENTRY_MAX + 2;

/// The longest value that names a tenant. Escaped, each byte may become three.
pub const TENANT_BYTES_MAX: usize = 128;

/// How long a key that turned out not shareable is fetched without waiting for others.
pub const UNSHAREABLE_FOR: Span = Span::from_secs(60);

/// Slots of the table that remembers unshareable keys: 8 bytes each, 512 KiB in all.
pub const UNSHAREABLE_SLOTS: usize = 65_536;

/// Orders remembered for fetches that are still running. When it overflows, what runs may not
/// store: one lost store per fetch, never a stale one.
pub const ORDERS_REMEMBERED_MAX: usize = 65_536;

/// Text of those orders, all together: ordinary keys never come near it, the longest allowed would.
pub const ORDERS_REMEMBERED_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Prefixes and patterns among those orders. Each is compared with each answer that is stored, so
/// they bound the time of a store: about 50 microseconds.
pub const WIDE_ORDERS_REMEMBERED_MAX: usize = 1_024;

/// Groups that the answer to one write may name; more are all of its origin. RFC 9875, 2 asks for
/// 32.
pub const GROUPS_PER_WRITE_MAX: usize = 256;

/// A background task that nobody waits for any more is told about after this long while draining.
pub const DRAIN_POLL: Span = Span::from_millis(50);

/// A request target longer than this is refused with 414. RFC 9112, 3 asks for 8,000 at least;
/// search forms and signed links reach 10 KiB.
pub const TARGET_BYTES_MAX: usize = 16 * 1_024;

/// Connections at once, unless the settings say otherwise; the next is answered with 503. An idle
/// one costs about 12 KiB here and as much again in the kernel: 65,536 stay below 2 GiB.
pub const CONNECTIONS_MAX: usize = 65_536;

/// Connections above the limit that are being told so at the same moment; more are just closed.
pub const TURNED_AWAY_MAX: usize = 256;

/// Connections that the kernel may hold ready before they are accepted: a burst of a second.
pub const LISTEN_BACKLOG: i32 = 4_096;

/// The longest pause after an accept that failed for want of descriptors or memory.
pub const ACCEPT_PAUSE_MAX: Span = Span::from_secs(1);

/// How long a closed connection is still read, so that the client sees the last answer and not a
/// reset (RFC 9112, 9.6).
pub const LINGER_TIMEOUT: Span = Span::from_secs(2);

/// How much of what a client still sends is read away while its connection closes.
pub const LINGER_BYTES_MAX: usize = 1_024 * 1_024;

/// A client that takes less than [`WRITE_BYTES_MIN`] of what waits for it in this time is gone, or
/// means to hold what it is given.
pub const WRITE_TIMEOUT: Span = Span::from_secs(60);

/// See [`WRITE_TIMEOUT`]: 273 bytes a second, less than the slowest of modems.
pub const WRITE_BYTES_MIN: usize = 16 * 1_024;

/// How long an origin's addresses count as known. Container platforms move services within a
/// minute; a lookup every half of that costs nothing.
pub const ORIGIN_RESOLVE_EVERY: Span = Span::from_secs(30);

/// Wait before the same lookup is tried again after it failed.
pub const ORIGIN_RESOLVE_RETRY: Span = Span::from_secs(1);

/// Head start of one address before the next is tried beside it (RFC 8305, 5).
pub const CONNECT_HEAD_START: Span = Span::from_millis(250);

/// How long a request body waits for the origin's 100 (RFC 9110, 10.1.1 leaves it to the client;
/// curl waits as long).
pub const CONTINUE_WAIT: Span = Span::from_secs(1);

/// Idle connections that one worker keeps to one origin: enough for 512 requests at once over two
/// workers, and about 10 KiB each.
pub const ORIGIN_IDLE_MAX: usize = 256;

/// One direction of a tunnel holds this much at a time.
pub const TUNNEL_BUFFER_BYTES: usize = 16 * 1_024;

/// Silence in both directions after which a tunnel is given up: longer than the pings of common
/// WebSocket libraries are apart.
pub const TUNNEL_IDLE: Span = Span::from_secs(3_600);

/// Requests that may wait for an origin with `max_concurrent` where its `queue` says nothing.
pub const ORIGIN_QUEUE_MAX: usize = 1_024;

/// When a write of unknown outcome is purged again: late commits come within moments.
pub const SETTLE_FIRST: Span = Span::from_secs(2);

/// The latest that it is purged again, where the origin's own time limit is longer.
pub const SETTLE_LAST_MAX: Span = Span::from_secs(3_600);

/// How old an answer may grow that was fetched while a write of unknown outcome could still commit:
/// a second of hits for a key that many ask for, and no more than a second of the old data.
pub const LAG_MAX: Span = Span::from_secs(1);

/// Purges that wait because the outcome of a write is unknown; each write has two. An origin that
/// answers a hundred writes a second with 504 stays below it for longer than its own time limit.
pub const UNSETTLED_MAX: usize = 16_384;

/// Text of what those purges name, all together.
pub const UNSETTLED_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Access lines of one fetch that wait until it is known whether its answer was stored. Only those
/// wait whose client has all bytes before the store does, which is a moment.
pub const FATE_WAITERS_MAX: usize = 1_024;

/// Selectors in one order. A write names a dozen; a PURGE by fields stays below its head's size.
pub const SELECTORS_PER_ORDER_MAX: usize = 4_096;

/// How long what a soft order names may be used as stale, and the order be undone; then it has
/// gone. An operator sees within an hour that an order was a mistake.
pub const SOFT_FOR: Span = Span::from_secs(3_600);

/// Soft orders that can be undone at a time; the oldest beyond them counts as a purge.
pub const SOFT_ORDERS_MAX: usize = 256;

/// What those orders name, all together. Each is compared with each frame that is read from the
/// shared level: about 100 microseconds.
pub const SOFT_SELECTORS_MAX: usize = 4_096;

/// Soft orders that one entry remembers; the next one takes it.
pub const SOFT_MARKS_MAX: usize = 16;

/// Cascades of all files of rules.
pub const CASCADES_MAX: usize = 256;

/// Characters of one selector in a cascade.
pub const CASCADE_TEXT_BYTES_MAX: usize = 512;

/// Parts that one cascade repeats.
pub const CASCADE_PARTS_MAX: usize = 16;

/// Cascades that may follow one another.
pub const CASCADE_DEPTH_MAX: usize = 8;

/// Selectors that may follow from one order; more become one order on everything.
pub const CASCADE_SELECTORS_MAX: usize = 1_000;

/// How many entries of L1 an order drops before it is acknowledged, and how many are dropped behind
/// it in one step: about a millisecond. What it names besides is out of use at once.
pub const SWEPT_AT_ONCE_MAX: usize = 1_024;
/// How long others have the locks of L1 to themselves between two such steps.
pub const SWEEP_REST: Span = Span::from_millis(1);
/// How many selectors may be out of use whose entries have yet to leave memory. Each lookup of an
/// older entry is compared with them; further orders drop all they name before they are
/// acknowledged.
pub const SWEEPS_PENDING_MAX: usize = 64;

/// Of how many representations a purge tells the names, so that what stood on several levels and
/// nodes is counted once: as many as a message to other nodes should carry.
pub const GONE_NAMES_MAX: usize = 256;

/// How long a writer waits for what its write has fetched anew.
pub const REFRESH_WAIT: Span = Span::from_secs(1);

/// Answers that one write has fetched anew; what goes beyond is fetched when somebody asks.
pub const REFRESH_PER_WRITE_MAX: usize = 100;

/// Answers that one call or message has fetched anew; the hottest are.
pub const REFRESH_PER_CALL_MAX: usize = 1_000;

/// For how many steps of L1 they are looked for, [`SWEPT_AT_ONCE_MAX`] entries each; then those are
/// fetched that were found. The hottest are known without.
pub const REFRESH_STEPS_MAX: usize = 64;

/// The same for a write, which waits for it.
pub const REFRESH_STEPS_OF_WRITE_MAX: usize = 8;

/// For how long the shared level is looked through for them before the purge is carried out.
pub const REFRESH_LISTED_WITHIN: Span = Span::from_secs(1);

/// How far apart such fetches begin: at most fifty in a second, which an origin should not feel.
pub const REFRESH_PACE: Span = Span::from_millis(20);

/// Fetches for all writes at the same moment: a wave of writes must not become one of reads.
pub const REFRESH_AT_ONCE_MAX: usize = 16;

/// Those that wait for their turn.
pub const REFRESH_WAITING_MAX: usize = 4_096;

/// Fields of the proxy's own requests to one origin.
pub const JOB_FIELDS_MAX: usize = 16;

/// A file with a password, a token or a key ring.
pub const SECRET_FILE_BYTES_MAX: u64 = 64 * 1_024;

/// A file with the digests of tokens: some five thousand of them.
pub const TOKENS_FILE_BYTES_MAX: u64 = 1_024 * 1_024;

/// A file with certificates or their key. The authorities of a whole system take some 300 KiB.
pub const PEM_FILE_BYTES_MAX: u64 = 4 * 1_024 * 1_024;

/// Rules, and origins, that are metered each by its own name, those that are gone from the rules
/// among them; the others share one meter. One with traffic takes some 30 KiB for each four
/// threads.
pub const METERED_MAX: usize = 1_000;

/// Threads that meter without meeting each other; more share. Machines beyond it serve many
/// requests between two that meet.
pub const METER_LANES_MAX: usize = 16;

/// How far the readings are apart that alerts compare.
pub const ALERT_READ_EVERY: Span = Span::from_secs(10);

/// So many of them: ratios and times are those of the last five minutes.
pub const ALERT_READINGS_MAX: usize = 30;

/// With fewer requests, or evictions, in that time nothing is said of their ratios.
pub const ALERT_TRAFFIC_MIN: u64 = 100;
