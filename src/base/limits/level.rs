//! Bounds of the shared level: its servers, its frames, and the fleet that shares it.

use crate::base::limits::{KEY_BYTES_MAX, ORIGIN_HEAD_BYTES_MAX, TAGS_PER_ENTRY_MAX};
use crate::base::units::Span;

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

/// How long a node remembers that it put a message into the log itself: well beyond the time in
/// which another one that could not wait does so too.
pub const EVENTS_GIVEN_FOR: Span = Span::from_secs(60);

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

/// Text of them, all together, unless one alone is longer: a call of a few milliseconds.
pub const ORDERS_BATCH_BYTES: usize = 256 * 1_024;

/// Records of the log that are read in one call; fewer where they come too slowly.
pub const RECORDS_PER_PAGE: usize = 1_000;

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

/// How often a node asks how full the servers are.
pub const WEIGHED_EVERY: Span = Span::from_secs(2);

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

/// How soon a node tries again to sweep that waits for how much an order took out: another one
/// sweeps, or a server did not answer.
pub const RECLAIM_RETRY: Span = Span::from_secs(1);

/// Orders of this node that are remembered with how much they took out of the shared level.
pub const RECLAIMS_KEPT_MAX: usize = 100;

/// Orders of others that a sweep counts for: those of ten minutes, and not more than these.
pub const RECLAIMS_HEARD_MAX: usize = 256;

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

/// Servers of one cluster; what the makers of Redis Cluster name as its bound.
pub const SERVERS_MAX: usize = 1_000;

/// The longest name of a server (RFC 1035, 2.3.4).
pub const SERVER_NAME_BYTES_MAX: usize = 253;

/// One reply of a server may have this many bytes in any case; more where the variants of a key
/// ([`VARIANTS_PER_KEY_MAX`](super::VARIANTS_PER_KEY_MAX)), each of the largest size, make more. A
/// server that sends on is cut off.
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

/// How often a heartbeat is looked for in place of a confirmation that does not come.
pub const CONFIRM_LOOK_EVERY: Span = Span::from_millis(250);

/// Confirmations that came before anybody waited for them, which is a matter of moments; those of
/// orders that nobody waits for are pushed out by later ones.
pub const EARLY_CONFIRMATIONS_MAX: usize = 1_024;

/// How long a write or a purge waits for the confirmations of other nodes.
pub const CONFIRM_WAIT: Span = Span::from_millis(50);

/// How long after an origin's own time limit a write must have been ordered by its node; then
/// another node orders it.
pub const INTENT_PATIENCE: Span = Span::from_secs(5);

/// How long a node remembers a note of its own that does not stand in Redis: beyond any call that
/// is still on its way there.
pub const NOTES_LEFT_FOR: Span = Span::from_secs(60);

/// How much later each further member does so, should those before it be dead as well.
pub const TAKE_OVER_STEP: Span = Span::from_secs(2);

/// How long a fetch is one node's alone unless it says that it goes on, which it does three times
/// in this time: what a node that dies costs those who wait for it.
pub const LEASE_FOR: Span = Span::from_secs(1);

/// How much later than its deadline a question may reach a server and still take a lease: what the
/// clocks of node and server, and the measure of their difference, may be wrong by.
pub const LEASE_ASKED_LATE: Span = Span::from_millis(200);

/// Clocks that are further apart are worth a word: a purge's memory and an answer's age allow for
/// seconds, and a clock that drifts does not stop there. A frame from further ahead is not used.
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

/// How many orders a node confirms that come with one page of the log.
pub const CONFIRMED_AT_ONCE: usize = 64;
