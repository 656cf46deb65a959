//! Every bound of the program, each with the reason for its size. Settings may lower some of them;
//! nothing may grow without one.

use crate::base::units::Span;

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

/// Names whose last order a node knows exactly; older ones share cells of a table. About 100 bytes
/// each, so below 8 MiB.
pub const FENCES_MIRRORED_MAX: usize = 65_536;

/// Text of those names, all together.
pub const FENCES_MIRRORED_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Prefixes and patterns that a node compares with what it finds in the shared level; beyond them
/// the oldest becomes an order on everything. They bound a lookup: about 50 microseconds.
pub const WIDE_FENCES_MIRRORED_MAX: usize = 1_024;

/// Orders that a node remembers to repeat them to a server that lost them.
pub const ORDERS_HEARD_MAX: usize = 65_536;

/// Text of those orders, all together.
pub const ORDERS_HEARD_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// How long an order can matter to a server that lost it, and how late an answer may still be put
/// into the shared level.
pub const ORDER_MEMORY: Span = Span::from_secs(600);

/// Own orders that wait for Redis; beyond them all become one order on everything.
pub const ORDERS_WAITING_MAX: usize = 65_536;

/// Text of those orders, all together.
pub const ORDERS_WAITING_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Messages of other programs that another node should put into the log; a burst of a second.
pub const EVENTS_OWED_MAX: usize = 4_096;

/// How long something that nobody waits for may take in the shared level.
pub const L2_BACKGROUND_DEADLINE: Span = Span::from_secs(1);

/// How long a long frame stands in Redis under the name that it is sent under: its put comes right
/// behind it, and nobody waits for a put for longer than [`L2_BACKGROUND_DEADLINE`].
pub const L2_SENT_FOR: Span = Span::from_secs(5);

/// The longest that Redis keeps anything, `forever` included: what is used is renewed before.
pub const L2_KEPT_MAX: Span = Span::from_secs(7 * 86_400);

/// Frames of bodies shorter than this are made where the request is served: packing them takes less
/// time than handing them over.
pub const FRAMED_AT_ONCE_BYTES: u64 = 128 * 1_024;

/// Orders that are numbered in one call: a script of a millisecond at most.
pub const ORDERS_PER_BATCH: usize = 64;

/// Batches whose keys are erased at the same time. More wait for a number: what is numbered is
/// erased soon, unless its server stands still, and then its breaker opens.
pub const ERASING_BATCHES_MAX: usize = 8;

/// Pause before orders that could not be numbered are tried again.
pub const ORDERS_RETRY: Span = Span::from_millis(50);

/// Orders that the log keeps at least; about 100 bytes each.
pub const ORDERS_LOGGED: u64 = 65_536;

/// What their texts may take in the log, all together; ordinary ones never come near it. It keeps
/// half as much at least, whatever the number of orders.
pub const ORDERS_LOGGED_BYTES: u64 = 64 * 1_024 * 1_024;

/// How long a tombstone stands: longer than any put may be late, with a minute for the clocks of
/// two servers.
pub const TOMBSTONE_FOR: Span = Span::from_secs(660);

/// How often a node asks the head of the log. Five small scripts a second; the bound on what a node
/// has not heard rests on it, messages only make it faster.
pub const POLL_EVERY: Span = Span::from_millis(200);

/// How long one such question may take.
pub const POLL_DEADLINE: Span = Span::from_millis(150);

/// How long a new turn waits for members to report before everything counts as purged.
pub const SETTLE_PATIENCE: Span = Span::from_secs(5);

/// How often members look after what others left undone.
pub const FLEET_TENDED_EVERY: Span = Span::from_secs(1);

/// A member that was silent for so long is one no more: its memory of orders is over.
pub const MEMBER_SILENT_MAX: Span = Span::from_secs(600);

/// Pause before messages are listened to again after the connection ended.
pub const LISTEN_PAUSE: Span = Span::from_millis(100);

/// How often it is looked whether messages come from the right servers.
pub const LISTEN_CHECK: Span = Span::from_millis(500);

/// The longest message of another program.
pub const EVENT_BYTES_MAX: usize = 64 * 1_024;

/// The journal of orders that wait for Redis; beyond it, it holds one order on everything.
pub const JOURNAL_BYTES_MAX: u64 = 32 * 1_024 * 1_024;

/// How often frames that orders have named are taken out of Redis, beside the sweep that follows
/// such an order.
pub const SWEEP_EVERY: Span = Span::from_secs(600);

/// Pause before a sweep, in which other orders may come.
pub const SWEEP_PAUSE: Span = Span::from_secs(1);

/// Keys that one step of a sweep looks at: about half a millisecond of the server's time.
pub const SWEEP_STEP: usize = 200;

/// How long a node that died at a sweep keeps others from it.
pub const BROOM_FOR: Span = Span::from_secs(60);

/// The longest body that is put into a frame. Redis would take eight times that; but one value is
/// one answer of a server that answers nobody else meanwhile, and one block of memory here.
pub const FRAME_BODY_BYTES_MAX: u64 = 64 * 1_024 * 1_024;

/// Stamp, selecting values and head in one frame: the longest head of an origin, and as much again
/// as a quarter of it for the rest.
pub const FRAME_DETAILS_BYTES_MAX: usize = ORIGIN_HEAD_BYTES_MAX / 4 * 5;

/// Names, target and tags in one frame: all tags at their longest, and room for a target.
pub const FRAME_LABELS_BYTES_MAX: usize = (TAGS_PER_ENTRY_MAX + 16) * KEY_BYTES_MAX;

/// Keys in one ring: two are enough for a rotation, and each is tried by its number only.
pub const SEAL_KEYS_MAX: usize = 16;

/// Faults of a server of the shared level within [`BREAKER_WINDOW`] after which nobody asks it any
/// more: one slow moment is no outage, five deadlines in a row cost requests 100 ms at most.
pub const BREAKER_FAULTS: usize = 5;

/// See [`BREAKER_FAULTS`].
pub const BREAKER_WINDOW: Span = Span::from_secs(1);

/// How far attempts to reach such a server again are apart: it is used again within a second, and
/// a fleet of a hundred nodes knocks 500 times a second.
pub const PROBE_EVERY: Span = Span::from_millis(200);

/// How often the servers of the shared level are asked who they are, when nothing happens. Changes
/// that nobody runs into are new replicas.
pub const TOPOLOGY_EVERY: Span = Span::from_secs(30);

/// How often sentinels are asked, over a connection that is kept. A failover that somebody ordered
/// leaves the old master in office for ten seconds more, and what it takes in then is lost.
pub const SENTINELS_EVERY: Span = Span::from_millis(500);

/// How often any of them is asked while a master is away or nobody knows it: a failover is found
/// soon after it is over.
pub const TOPOLOGY_RETRY: Span = Span::from_millis(250);

/// The least between two such questions, however many run into a change at once.
pub const TOPOLOGY_APART: Span = Span::from_millis(100);

/// A file with a password, a token or a key ring.
pub const SECRET_FILE_BYTES_MAX: u64 = 64 * 1_024;

/// A file with certificates or their key. The authorities of a whole system take some 300 KiB.
pub const PEM_FILE_BYTES_MAX: u64 = 4 * 1_024 * 1_024;

/// Servers of one cluster; what the makers of Redis Cluster name as its bound.
pub const SERVERS_MAX: usize = 1_000;

/// The longest name of a server (RFC 1035, 2.3.4).
pub const SERVER_NAME_BYTES_MAX: usize = 253;

/// One reply of a server may have this many bytes in any case; more where [`VARIANTS_PER_KEY_MAX`]
/// frames of the largest size make more. A server that sends on is cut off.
pub const REPLY_BYTES_MAX: u64 = 64 * 1_024 * 1_024;

/// Elements of one reply, nested ones too. Each costs 56 bytes here, however few it has on the
/// wire: 15 MiB. The longest reply that is asked for reads 65,536 fields with their values.
pub const REPLY_PARTS_MAX: u64 = 262_144;

/// Arrays within arrays in one reply. Scripts and `CLUSTER SLOTS` use four.
pub const REPLY_DEPTH_MAX: usize = 16;

/// A line of a reply: an error or a number. Errors of scripts stay below a few hundred bytes.
pub const REPLY_LINE_BYTES_MAX: usize = 16 * 1_024;

/// What is longer goes to a server over a connection of its own, so that a small question does not
/// wait behind it: 64 KiB take half a millisecond on a link of 1 Gbit/s.
pub const BULKY_BYTES: usize = 64 * 1_024;

/// Calls that may wait to be written to one connection. Its bytes are in memory once more.
pub const CONNECTION_QUEUE: usize = 256;

/// Silence after which a connection to a server is tested, and between the tests; after three
/// without an answer it is lost.
pub const KEEPALIVE: Span = Span::from_secs(5);

/// What was sent to a server must be received by its kernel in this time.
pub const UNACKNOWLEDGED_MAX: Span = Span::from_secs(5);

/// How hard entries are compressed unless a rule says otherwise: zstd's own choice.
pub const COMPRESS_LEVEL: i32 = 3;

/// The hardest that a rule may ask for: beyond it zstd takes hundreds of megabytes.
pub const COMPRESS_LEVEL_MAX: i32 = 19;

/// The shortest body that is compressed unless a rule says otherwise: below it a frame and the time
/// cost more than is gained.
pub const COMPRESS_BYTES_MIN: u64 = 1_024;

/// The longest name of a channel on which any program may say what to purge.
pub const CHANNEL_BYTES_MAX: usize = 256;

/// How long a write or a purge waits for the confirmations of other nodes.
pub const CONFIRM_WAIT: Span = Span::from_millis(50);

/// How long after an origin's own time limit a write must have been ordered by its node; then
/// another node orders it.
pub const INTENT_PATIENCE: Span = Span::from_secs(5);

/// How much later each further member does so, should those before it be dead as well.
pub const TAKE_OVER_STEP: Span = Span::from_secs(2);

/// How long a fetch is one node's alone unless it says that it goes on, which it does three times
/// in this time: what a node that dies costs those who wait for it.
pub const LEASE_FOR: Span = Span::from_secs(1);

/// How much later than its deadline a question may reach a server and still take a lease: what the
/// clocks of node and server, and the measure of their difference, may be wrong by.
pub const LEASE_ASKED_LATE: Span = Span::from_millis(200);

/// Clocks that are further apart are worth a word: a purge's memory and an answer's age allow for
/// seconds, and a clock that drifts does not stop there.
pub const CLOCKS_APART: Span = Span::from_secs(1);

/// Clocks that are further apart are wrong: tombstones reckon with a minute between two servers.
pub const CLOCKS_ASTRAY: Span = Span::from_secs(60);

/// A clock that is set back by more makes what is stored visibly younger than it is: ages are told
/// in whole seconds (RFC 9111, 5.1).
pub const CLOCK_SET_BACK: Span = Span::from_secs(1);

/// A member that says nothing for so long is away: it speaks five times a second.
pub const MEMBER_QUIET: Span = Span::from_secs(5);

/// An order that should have been carried out so long ago waits for something that does not come.
pub const OPEN_ORDER_OVERDUE: Span = Span::from_secs(60);

/// The longest text of a server that `doctor` repeats.
pub const FINDING_CHARS_MAX: usize = 300;

/// The shortest lease: what a node that dies within it costs those who wait for a fast origin.
pub const LEASE_LEAST: Span = Span::from_millis(250);
