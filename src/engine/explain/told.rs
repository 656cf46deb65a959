//! What `explain` tells: the same for people, as lines, and for programs, as JSON.

use std::fmt::{self, Write as _};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The whole decision.
#[derive(Clone, Debug, Default, JsonSchema, Serialize, Deserialize)]
pub struct Told {
    /// The request, as understood.
    pub request: String,
    /// In one word: `hit`, `miss`, `pass`, `write`, `purge`, `refused`.
    pub outcome: String,
    /// The rule that matched.
    pub rule: Option<String>,
    /// Where it goes.
    pub origin: Option<String>,
    /// The key.
    pub key: Option<String>,
    /// The parts of the key: text, value, and where it came from.
    pub parts: Vec<Part>,
    /// Tags that the request gives.
    pub tags: Vec<String>,
    /// How credentials stand to sharing.
    pub sharing: Option<String>,
    /// The lifetime, and who sets it.
    pub ttl: Option<String>,
    /// What stands in the cache now; nothing offline.
    pub stored: Option<Stored>,
    /// How the shared level has to do with it.
    pub l2: Option<Level>,
    /// What a write would purge.
    pub purges: Vec<String>,
    /// Why not, as the stable word.
    pub reason: Option<String>,
    /// The same in words.
    pub because: Option<String>,
    /// What to change.
    pub help: Option<String>,
}

/// A read and the shared level.
#[derive(Clone, Debug, Default, JsonSchema, Serialize, Deserialize)]
pub struct Level {
    /// Whether it is asked before the origin, and gets what is stored.
    pub used: bool,
    /// Why it is not.
    pub because: Option<String>,
    /// Whether what is kept there is sealed.
    pub sealed: bool,
    /// How its body is packed: the level, and the shortest that is.
    pub compressed: Option<String>,
    /// Whether a replica may answer.
    pub replica: bool,
    /// What the rule's `shard` gave.
    pub shard: Option<String>,
    /// The name of its frame in Redis; a variant's has more behind it.
    pub name: Option<String>,
    /// The slot of that name in a cluster.
    pub slot: Option<u16>,
    /// The server that has it, and whether it is asked now; nothing offline.
    pub server: Option<String>,
}

/// One part of a key.
#[derive(Clone, Debug, JsonSchema, Serialize, Deserialize)]
pub struct Part {
    /// As the template writes it.
    pub text: String,
    /// What it became.
    pub value: Option<String>,
    /// Where it came from.
    pub from: String,
}

/// What stands under the key.
#[derive(Clone, Debug, JsonSchema, Serialize, Deserialize)]
pub struct Stored {
    /// The verdict on it.
    pub verdict: String,
    /// Its status.
    pub status: u16,
    /// Its age in seconds.
    pub age: u64,
    /// Seconds of freshness left.
    pub ttl: i64,
    /// Bytes of its body.
    pub bytes: u64,
    /// Bytes of its body in zstd, where the answer goes out so.
    pub zstd: Option<u64>,
    /// Its tags.
    pub tags: Vec<String>,
    /// How many variants stand beside it, itself included.
    pub variants: usize,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, text: &str| writeln!(f, "{name:9} {text}");
        line("request", &self.request)?;
        line("outcome", &self.outcome)?;
        line("rule", self.rule.as_deref().unwrap_or("none: RFC 9111 by the profile"))?;
        for (name, text) in [
            ("origin", &self.origin),
            ("key", &self.key),
            ("sharing", &self.sharing),
            ("ttl", &self.ttl),
        ] {
            if let Some(text) = text {
                line(name, text)?;
            }
        }
        for part in &self.parts {
            let value = part.value.as_deref().unwrap_or("missing");
            line("", &format!("{} = {value}   from {}", part.text, part.from))?;
        }
        if !self.tags.is_empty() {
            line("tags", &self.tags.join(" "))?;
        }
        if let Some(stored) = &self.stored {
            let Stored { verdict, status, age, ttl, bytes, zstd, variants, .. } = stored;
            let coded = zstd.map_or_else(String::new, |len| format!(" (sent as zstd, {len})"));
            line(
                "stored",
                &format!(
                    "{verdict}: status {status}, age {age}s, ttl {ttl}s, {bytes} bytes{coded}, \
                     {variants} variants"
                ),
            )?;
        }
        if let Some(level) = &self.l2 {
            for text in level.lines() {
                line("l2", &text)?;
            }
        }
        for purge in &self.purges {
            line("purges", purge)?;
        }
        for (name, text) in
            [("reason", &self.reason), ("because", &self.because), ("help", &self.help)]
        {
            if let Some(text) = text {
                line(name, text)?;
            }
        }
        Ok(())
    }
}

impl Level {
    /// What is worth a line.
    fn lines(&self) -> Vec<String> {
        if !self.used {
            let because = self.because.as_deref().unwrap_or_default();
            return vec![format!("not used: {because}")];
        }
        let mut how = vec![if self.sealed { "sealed" } else { "in the clear" }.to_owned()];
        how.push(self.compressed.clone().unwrap_or_else(|| "not compressed".to_owned()));
        if self.replica {
            how.push("a replica may answer".to_owned());
        }
        how.extend(self.shard.as_ref().map(|shard| format!("shard {shard}")));
        let mut lines = vec![format!("used: {}", how.join(", "))];
        if let (Some(name), Some(slot)) = (&self.name, self.slot) {
            lines.push(format!("\"{}\", slot {slot}", quoted(name)));
        }
        lines.extend(self.server.clone());
        lines
    }
}

/// As `redis-cli` takes it between quotation marks.
fn quoted(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            control if control.is_ascii_control() => {
                // A string takes everything.
                let _ = write!(text, "\\x{:02x}", u32::from(control));
            }
            other => text.push(other),
        }
    }
    text
}
