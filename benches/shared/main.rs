//! The shared level beside plain Redis, with real servers that this bench starts and stops: what a
//! look and a put cost, what an entry takes in Redis, and what a purge of a pattern does to other
//! clients. Run: `cargo bench --bench shared`, or a part: `cargo bench --bench shared -- hits`.
//! What is compared takes turns within a run; ratios come first, since only they hold.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench that cannot go on ends"
)]

mod figures;
mod hits;
mod memory;
mod node;
mod probe;
mod purge;
mod puts;
mod samples;
mod server;
mod wire;

/// What is measured, and how much of it.
pub(crate) struct Options {
    parts: Vec<String>,
    /// Keys that stand in Redis when a pattern is purged; half of them fit it.
    pub(crate) keys: u64,
    /// How often each case has its turn.
    pub(crate) rounds: usize,
    /// Calls that one case makes in one turn.
    pub(crate) calls: usize,
    /// Entries that are weighed.
    pub(crate) entries: usize,
}

fn main() {
    let options = options();
    if options.wants("hits") {
        hits::measure(&options);
    }
    if options.wants("puts") {
        puts::measure(&options);
    }
    if options.wants("memory") {
        memory::measure(&options);
    }
    if options.wants("purge") {
        purge::measure(&options);
    }
}

impl Options {
    fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|one| one == part)
    }
}

fn options() -> Options {
    let mut options =
        Options { parts: Vec::new(), keys: 20_000, rounds: 5, calls: 4_000, entries: 10_000 };
    // Cargo says `--bench` to every bench.
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let mut number = || {
            let text = words.next().unwrap_or_default().replace('_', "");
            text.parse::<u64>().unwrap_or_else(|_| usage())
        };
        match word.as_str() {
            "--keys" => options.keys = number().max(1_000),
            "--rounds" => options.rounds = (number() as usize).max(1),
            "--calls" => options.calls = (number() as usize).max(hits::TOGETHER),
            "--entries" => options.entries = (number() as usize).max(100),
            "hits" | "puts" | "memory" | "purge" => options.parts.push(word),
            _ => usage(),
        }
    }
    options
}

fn usage() -> ! {
    eprintln!("[hits] [puts] [memory] [purge] [--keys N] [--rounds N] [--calls N] [--entries N]");
    std::process::exit(2);
}
