//! Every bound of the program, each with the reason for its size. Settings may lower some of them;
//! nothing may grow without one.

use crate::base::units::Span;

mod level;

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

/// Changes through the admin API that are kept at hand.
pub const AUDIT_KEPT_MAX: usize = 1_000;

/// Characters kept there of what a call named.
pub const AUDIT_CHARS_MAX: usize = 1_000;

/// Selectors of one call.
pub const CALL_SELECTORS_MAX: usize = 1_000;

/// Of how many representations a purge tells the names, so that what stood on several levels and
/// nodes is counted once: as many as a message to other nodes should carry.
pub const GONE_NAMES_MAX: usize = 256;

/// Keys that a call tells as a sample.
pub const SAMPLE_MAX: usize = 20;

/// Texts of rules that are kept to show them, and to go back.
pub const RULES_KEPT_MAX: usize = 10;

/// Bytes of all of them; the last one is kept in any case. Large rules take some 100 KiB.
pub const RULES_KEPT_BYTES_MAX: u64 = 16 * 1_024 * 1_024;

/// Pairs of lines that a comparison of two texts looks at, four bytes each: 2,000 lines that differ
/// from 2,000 others. Beyond it they are told as replaced.
pub const DIFF_CELLS_MAX: usize = 4_000_000;

/// One of so many requests is counted among the hottest keys: the others pay nothing for it.
pub const HOT_SAMPLED: u64 = 64;

/// The time after which the counts of the hottest keys begin anew; those before it still count.
pub const HOT_WINDOW: Span = Span::from_secs(60);

/// Counters in each of sixteen parts, six times (two windows, three counts): below 8 MiB with the
/// longest keys. What makes up a 64th of the counts of its part is surely found.
pub const HOT_KEYS_PER_PART: usize = 64;

/// Keys that are longer are not counted.
pub const HOT_KEY_BYTES_MAX: usize = 1_024;

/// How long the emergency switch stays on unless its call says so.
pub const BYPASS_USUALLY: Span = Span::from_secs(600);

/// The longest that it may: nobody should forget it for more than a day.
pub const BYPASS_MAX: Span = Span::from_secs(86_400);

/// Entries that one call lists unless it says how many.
pub const LISTED_USUALLY: usize = 100;

/// The most that it may ask for.
pub const LISTED_MAX: usize = 1_000;

/// Identities of L1 that are looked at for one page, each for less than a microsecond.
pub const LISTED_LOOKS_MAX: usize = 16_384;

/// How long the shared level is asked for one page; the next one goes on from there.
pub const LISTED_WITHIN: Span = Span::from_millis(500);

/// Identities of one key that a call tells: sites and callers may be many.
pub const IDENTITIES_TOLD_MAX: usize = 100;

/// Sites under which one call may put an entry; it then stands so many times.
pub const SITES_NAMED_MAX: usize = 16;

/// How often an entry that an operator puts takes the place of what other nodes fetch meanwhile.
/// Each time a fetch must have begun within the moment between an order and a look.
pub const PUT_TRIES_MAX: usize = 5;

/// The longest a call may wait for the confirmations of other nodes.
pub const CONFIRM_WAIT_MAX: Span = Span::from_secs(30);

/// How long a writer waits for what its write has fetched anew.
pub const REFRESH_WAIT: Span = Span::from_secs(1);

/// Answers that one write has fetched anew; what goes beyond is fetched when somebody asks.
pub const REFRESH_PER_WRITE_MAX: usize = 100;

/// Fetches for all writes at the same moment: a wave of writes must not become one of reads.
pub const REFRESH_AT_ONCE_MAX: usize = 16;

/// Those that wait for their turn.
pub const REFRESH_WAITING_MAX: usize = 4_096;

/// Jobs that are remembered with what came of them.
pub const JOBS_KEPT_MAX: usize = 100;

/// Jobs that wait for others to end.
pub const JOBS_WAITING_MAX: usize = 16;

/// Jobs that run at the same moment. Each has a pace of its own, and the origin gets their sum.
pub const JOBS_AT_ONCE_MAX: usize = 2;

/// What a job tells of single URLs and keys: enough to see what is wrong.
pub const JOB_EXAMPLES_MAX: usize = 20;

/// Requests that a job begins in a second unless its call says so.
pub const JOB_RATE_USUALLY: u64 = 10;

/// The most that a call may ask for.
pub const JOB_RATE_MAX: u64 = 10_000;

/// Requests of a job that run at the same moment unless its call says so.
pub const JOB_LANES_USUALLY: usize = 4;

/// The most that a call may ask for.
pub const JOB_LANES_MAX: usize = 64;

/// How often a job that stands still looks whether it may go on.
pub const JOB_PAUSE: Span = Span::from_secs(1);

/// URLs that one call names to be fetched.
pub const WARM_NAMED_MAX: usize = 10_000;

/// Bytes of a call with them.
pub const WARM_BYTES_MAX: usize = 4 * 1_024 * 1_024;

/// URLs that one template makes.
pub const WARM_MADE_MAX: u64 = 1_000_000;

/// Entries that a job looks up at once: the memory that a long list takes.
pub const JOB_PAGE: usize = 256;

/// Entries that are compared with the origin unless a call says how many.
pub const VERIFY_SAMPLED_USUALLY: usize = 100;

/// The most that one job compares: three hours at its usual rate, and below 100 MB of keys.
pub const VERIFY_SAMPLED_MAX: usize = 100_000;

/// Keys of entries that differ which one order purges.
pub const VERIFY_REPAIRED_AT_ONCE: usize = 100;

/// Fields of the proxy's own requests to one origin.
pub const JOB_FIELDS_MAX: usize = 16;

/// Calls with an idempotency key whose answers are remembered.
pub const CALLS_REMEMBERED_MAX: usize = 1_000;

/// How long such an answer is given again.
pub const CALLS_REMEMBERED_FOR: Span = Span::from_secs(3_600);

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
