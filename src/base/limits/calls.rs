//! Bounds of operators' calls, and of the work that they begin.

use crate::base::units::Span;

/// Connections at once to the admin listener: dashboards, scrapers and scripts of a large team.
pub const ADMIN_CONNECTIONS_MAX: usize = 256;

/// The longest that a call of the admin API may take up to the head of its answer, its body
/// included: twice the longest wait for other nodes.
pub const CALL_WITHIN: Span = Span::from_secs(60);

/// Happenings that are kept at hand for who asks what happened lately.
pub const EVENTS_KEPT_MAX: usize = 1_000;

/// Bytes of all of them.
pub const EVENTS_KEPT_BYTES_MAX: usize = 1_024 * 1_024;

/// Characters of one text in them.
pub const EVENT_CHARS_MAX: usize = 1_000;

/// Who may follow happenings at the same moment; each costs something with every hit that it sees.
pub const EVENT_FOLLOWERS_MAX: usize = 16;

/// What may wait for one who follows; lines beyond it are lost to it.
pub const EVENTS_WAITING_BYTES_MAX: usize = 256 * 1_024;

/// How often something is sent to one who follows, be it nothing: ends that are gone are noticed.
pub const EVENTS_PULSE: Span = Span::from_secs(4);

/// Changes through the admin API that are kept at hand.
pub const AUDIT_KEPT_MAX: usize = 1_000;

/// Calls that were refused and are kept at hand, beside the changes: whoever has no token cannot
/// push those out.
pub const AUDIT_REFUSED_MAX: usize = 200;

/// Characters kept there of what a call named.
pub const AUDIT_CHARS_MAX: usize = 1_000;

/// Selectors of one call.
pub const CALL_SELECTORS_MAX: usize = 1_000;

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

/// How long a purge that is tried looks through Redis; then what it found is the least.
pub const COUNTED_WITHIN: Span = Span::from_secs(5);

/// How long other nodes have to tell what such a purge would take from their memory.
pub const TRIED_WITHIN: Span = Span::from_secs(2);

/// Frames of one page of that.
pub const COUNTED_AT_ONCE: usize = 1_000;

/// Frames that it counts, eight bytes each.
pub const COUNTED_MAX: usize = 100_000;

/// Identities of one key that a call tells: sites and callers may be many.
pub const IDENTITIES_TOLD_MAX: usize = 100;

/// Sites under which one call may put an entry; it then stands so many times.
pub const SITES_NAMED_MAX: usize = 16;

/// How often an entry that an operator puts takes the place of what other nodes fetch meanwhile.
/// Each time a fetch must have begun within the moment between an order and a look.
pub const PUT_TRIES_MAX: usize = 5;

/// How long a call that can tell a count only at once waits for what leaves Redis by and by.
pub const COUNT_WAIT: Span = Span::from_secs(2);

/// The longest a call may wait for the confirmations of other nodes.
pub const CONFIRM_WAIT_MAX: Span = Span::from_secs(30);

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

/// Different URLs of an access log that are counted; those that come first.
pub const HARVEST_URLS_MAX: usize = 500_000;

/// URLs of an access log that are fetched unless a call says how many.
pub const HARVESTED_USUALLY: usize = 1_000;

/// Bytes of a line in an access log that are read as one.
pub const LOG_LINE_MAX: u64 = 64 * 1_024;

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

/// Calls with an idempotency key whose answers are remembered.
pub const CALLS_REMEMBERED_MAX: usize = 1_000;

/// How long such an answer is given again.
pub const CALLS_REMEMBERED_FOR: Span = Span::from_secs(3_600);

/// Pointers that are told of one entry that differs from what its origin says.
pub const DIFFERENCES_TOLD_MAX: usize = 5;

/// How often an entry is asked about, where its origin fails, before the next has its turn.
pub const SYNC_TRIES_MAX: u32 = 3;

/// The wait before the second time; twice as long before each further one.
pub const SYNC_PAUSE: Span = Span::from_secs(1);

/// The longest of these waits.
pub const SYNC_PAUSE_MAX: Span = Span::from_secs(30);

/// Failures in a row, of one origin, which may be those of single entries: nobody else waits yet.
pub const SYNC_FAILURES_ALLOWED: u32 = 4;

/// Failures in a row at which an origin is given up for this time. Where four entries are asked
/// about at once, about a minute has gone by then.
pub const SYNC_FAILURES_MAX: u32 = 20;

/// The wait after a round that failed.
pub const SYNC_AGAIN: Span = Span::from_secs(10);

/// The shortest time from one round to the next.
pub const SYNC_EVERY_MIN: Span = Span::from_secs(1);
