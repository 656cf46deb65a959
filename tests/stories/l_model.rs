//! Random sequences of reads, writes, purges of every kind, expiries, restarts of nodes and losses
//! of messages over three nodes and a real Redis, beside a model that is a table: what stands in
//! which level of which node, in which version. After each step every answer, every count and what
//! each node says that it holds must be what the table says.

use std::collections::BTreeMap;

use cistern::admin::tokens::Role;
use serde_json::{Value, json};

use crate::support::cistern::{Setup, in_front_of};
use crate::support::client::{Answer, ask, get};
use crate::support::fleet::{Fleet, LAG_MAX, SLACK, settings};
use crate::support::history::Source;
use crate::support::operator;
use crate::support::redis::{Server, holds_within, until};
use crate::support::traffic::Dice;
use crate::support::versions::Versions;

const RULES: &str = r#"
version = 1
[type.doc]
prefix = "doc:"
ttl = "5m"
[type.brief]
prefix = "brief:"
ttl = "1s"
[[route]]
name = "docs"
match = "GET /docs/{id}"
type = "doc"
key = "{id}"
tags = ["docs", "one-{id}"]
[[route]]
name = "drafts"
match = "GET /drafts/{id}"
type = "doc"
key = "draft-{id}"
tags = ["drafts"]
[[route]]
name = "briefs"
match = "GET /brief/{id}"
type = "brief"
key = "{id}"
[[route]]
name = "lists"
match = "GET /vary/{id}"
key = "list:{id}"
ttl = "5m"
tags = ["lists"]
"#;

const NODES: usize = 3;

/// What can be stored: its path, the language it is asked in, and all that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Thing {
    path: &'static str,
    language: &'static str,
    key: &'static str,
    tags: &'static [&'static str],
    kind: &'static str,
    rule: &'static str,
}

const fn thing(
    path: &'static str,
    key: &'static str,
    tags: &'static [&'static str],
    kind: &'static str,
    rule: &'static str,
) -> Thing {
    Thing { path, language: "en", key, tags, kind, rule }
}

const THINGS: [Thing; 9] = [
    thing("/docs/1", "doc:1", &["docs", "one-1"], "doc", "docs"),
    thing("/docs/2", "doc:2", &["docs", "one-2"], "doc", "docs"),
    thing("/docs/12", "doc:12", &["docs", "one-12"], "doc", "docs"),
    thing("/drafts/1", "doc:draft-1", &["drafts"], "doc", "drafts"),
    thing("/brief/1", "brief:1", &[], "brief", "briefs"),
    thing("/vary/1", "list:1", &["lists"], "", "lists"),
    Thing { language: "de", ..thing("/vary/1", "list:1", &["lists"], "", "lists") },
    thing("/plain/1", "http://api.example/plain/1", &[], "", ""),
    thing("/plain/2", "http://api.example/plain/2", &[], "", ""),
];

/// A selector, with what it names by the words of the rules file.
type Selects = (&'static str, fn(&Thing) -> bool);

const SELECTORS: [Selects; 15] = [
    ("key:doc:1", |thing| thing.key == "doc:1"),
    ("key:list:1", |thing| thing.key == "list:1"),
    ("prefix:doc:1", |thing| thing.key.starts_with("doc:1")),
    ("prefix:http://api.example/", |thing| thing.key.starts_with("http:")),
    ("pattern:doc:*1*", |thing| thing.key.starts_with("doc:") && thing.key.contains('1')),
    ("pattern:*:2", |thing| thing.key.ends_with(":2")),
    ("tag:docs", |thing| thing.tags.contains(&"docs")),
    ("tag:one-2", |thing| thing.tags.contains(&"one-2")),
    ("tag:one-1*", |thing| thing.tags.iter().any(|tag| tag.starts_with("one-1"))),
    ("type:doc", |thing| thing.kind == "doc"),
    ("type:brief", |thing| thing.kind == "brief"),
    ("rule:lists", |thing| thing.rule == "lists"),
    ("url:http://api.example/docs/2", |thing| thing.path == "/docs/2"),
    ("url:http://api.example/plain/1", |thing| thing.path == "/plain/1"),
    ("all", |_| true),
];

/// What stands somewhere, by version.
type Stands = BTreeMap<Thing, u64>;

struct World {
    redis: Server,
    origin: Versions,
    fleet: Fleet,
    tokens: Vec<String>,
    levels: [Stands; NODES],
    shared: Stands,
    dice: Dice,
    said: Vec<String>,
}

impl World {
    fn start(seed: u64) -> Self {
        let (redis, origin) = (Server::start(), Versions::start());
        let setup = || in_front_of(origin.address()).config(&settings(&redis.url())).rules(RULES);
        let (setups, tokens): (Vec<Setup>, Vec<String>) =
            (0..NODES).map(|_| setup().token(Role::Operate)).unzip();
        let fleet = Fleet::start(setups);
        let world = Self {
            redis,
            origin,
            fleet,
            tokens,
            levels: Default::default(),
            shared: Stands::new(),
            dice: Dice::new(seed),
            said: Vec::new(),
        };
        world.forget_probes();
        world
    }

    /// One step of somebody.
    fn step(&mut self) {
        let node = self.dice.below(NODES as u64) as usize;
        let at = self.dice.below(THINGS.len() as u64) as usize;
        match self.dice.below(16) {
            0..7 => self.read(node, THINGS[at]),
            7 => drop(self.origin.commit(THINGS[at].path)),
            8 | 9 => self.write(node, THINGS[at]),
            10..14 => self.purge(node),
            14 => self.expire(node),
            _ if self.dice.below(4) == 0 => self.restart(node),
            _ => {
                self.say("messages are lost".to_owned());
                self.redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
            }
        }
        self.compare();
    }

    fn say(&mut self, what: String) {
        self.said.push(what);
    }

    /// All that was done, for whoever must find out why.
    fn so_far(&self) -> String {
        self.said.join("\n")
    }

    fn ask(&self, node: usize, thing: Thing) -> Answer {
        let ask = get(thing.path).header("Accept-Language", thing.language);
        self.fleet.nodes[node].send(&ask).with_status(200)
    }

    fn read(&mut self, node: usize, thing: Thing) {
        // Its lifetime is over whenever it likes.
        if thing.kind == "brief" {
            return;
        }
        let told = self.ask(node, thing);
        let seen = told.json()["version"].as_u64().expect("a version");
        let expected = match (self.levels[node].get(&thing), self.shared.get(&thing)) {
            (Some(version), _) => (Source::L1, *version),
            (None, Some(version)) => (Source::L2, *version),
            (None, None) => (Source::Origin, self.origin.version(thing.path)),
        };
        let source = match (told.is_hit(), told.cache_status().contains("L2")) {
            (true, true) => Source::L2,
            (true, false) => Source::L1,
            (false, _) => Source::Origin,
        };
        self.say(format!("node {node} reads {thing:?}: {seen} from {source:?}"));
        assert_eq!((source, seen), expected, "{}", self.so_far());
        self.stored(node, thing, seen);
    }

    /// It stands in both levels; the shared one takes it behind the answer.
    fn stored(&mut self, node: usize, thing: Thing, version: u64) {
        self.levels[node].insert(thing, version);
        if self.shared.insert(thing, version) != Some(version) {
            let count = self.shared.keys().filter(|one| one.key == thing.key).count();
            until("the shared level has taken it", || self.shared_under(node, thing) == count);
        }
    }

    /// How many variants of its key the shared level has, as far as orders allow.
    fn shared_under(&self, node: usize, thing: Thing) -> usize {
        let path = format!("entry?key={}", thing.key);
        let token = Some(self.tokens[node].as_str());
        let told = operator::call(&self.fleet.nodes[node], token, "GET", &path, None);
        let told = if told.status == 200 { told.json() } else { Value::Null };
        let variants = told["variants"].as_array().cloned().unwrap_or_default();
        variants.iter().filter(|one| one["level"] == "l2").count()
    }

    fn write(&mut self, node: usize, thing: Thing) {
        self.fleet.nodes[node].send(&ask("PUT", thing.path)).with_status(200);
        self.say(format!("node {node} writes {}", thing.path));
        self.forget(|one| one.path == thing.path);
        self.all_have_heard(&[format!("url:http://api.example{}", thing.path)]);
    }

    fn purge(&mut self, node: usize) {
        let count = 1 + self.dice.below(2);
        let chosen: Vec<_> = (0..count)
            .map(|_| SELECTORS[self.dice.below(SELECTORS.len() as u64) as usize])
            .collect();
        let mut texts: Vec<String> = chosen.iter().map(|(text, _)| (*text).to_owned()).collect();
        texts.dedup();
        let covers = |thing: &Thing| chosen.iter().any(|(_, covers)| covers(thing));
        let told = self.purged(node, &texts);
        let l1: usize =
            self.levels.iter().map(|level| level.keys().filter(|one| covers(one)).count()).sum();
        let mut all: Vec<&Thing> = self.levels.iter().flat_map(Stands::keys).collect();
        all.extend(self.shared.keys());
        all.retain(|thing| covers(thing));
        all.sort();
        all.dedup();
        let l2 = self.shared.keys().filter(|thing| covers(thing)).count();
        let counts = json!({ "entries": all.len(), "l1": l1, "l2": l2 });
        self.say(format!("node {node} purges {texts:?}: {told}, and there were {counts}"));
        // Where a message was lost its node's count is missing, and took that time to notice.
        let (seen, all) = (told["purged"]["l1"].as_u64(), l1 as u64);
        let heard = told["level"] == "nodes" && told["ms"].as_u64().is_some_and(|ms| ms < 200);
        assert!(seen == Some(all) || !heard && seen < Some(all), "{}", self.so_far());
        if told["exact"] == true {
            assert_eq!(told["purged"], counts, "{}", self.so_far());
        }
        self.forget(covers);
        if told["level"] != "nodes" {
            self.all_have_heard(&texts);
        }
    }

    fn purged(&self, node: usize, texts: &[String]) -> Value {
        // Longer than usual, so that who was late once is waited for again; who died is, too.
        let asked = json!({ "selectors": texts, "wait": "400ms" });
        let token = Some(self.tokens[node].as_str());
        let told = operator::call(&self.fleet.nodes[node], token, "POST", "purge", Some(&asked));
        told.with_status(200).json()
    }

    fn forget(&mut self, covers: impl Fn(&Thing) -> bool) {
        for level in self.levels.iter_mut().chain([&mut self.shared]) {
            level.retain(|thing, _| !covers(thing));
        }
    }

    /// How much of this a node has.
    fn held(&self, node: usize, texts: &[String]) -> u64 {
        let token = Some(self.tokens[node].as_str());
        let held = texts.iter().map(|text| {
            let path = format!("keys?selector={text}&limit=100");
            let told = operator::call(&self.fleet.nodes[node], token, "GET", &path, None);
            let told = told.with_status(200).json();
            let rows = told["entries"].as_array().expect("a list").clone();
            rows.iter().map(|row| row["variants"].as_u64().expect("a count")).sum::<u64>()
        });
        held.sum()
    }

    /// Whoever has not confirmed follows within the lag.
    fn all_have_heard(&self, texts: &[String]) {
        let gone = || (0..NODES).all(|node| self.held(node, texts) == 0);
        assert!(holds_within(LAG_MAX + SLACK, gone), "{texts:?} stand\n{}", self.so_far());
    }

    /// A lifetime ends, and the next who asks gets what is there now.
    fn expire(&mut self, node: usize) {
        let thing = THINGS[4];
        self.ask(node, thing);
        let now = self.origin.commit(thing.path);
        until("its lifetime is over", || self.ask(node, thing).json()["version"] == now);
        self.say(format!("node {node} sees {} end", thing.path));
        self.stored(node, thing, now);
    }

    fn restart(&mut self, node: usize) {
        let was = self.fleet.nodes.remove(node);
        let crashes = self.dice.below(2) == 0;
        let setup = if crashes { was.crashes() } else { was.leaves() };
        self.fleet.nodes.insert(node, setup.start());
        self.say(format!("node {node} starts again, after a crash: {crashes}"));
        self.levels[node].clear();
        self.fleet.is_one();
        self.forget_probes();
    }

    /// What the nodes were tried out with is not in the table.
    fn forget_probes(&self) {
        let probes = ["prefix:http://api.example/probes/".to_owned()];
        self.purged(0, &probes);
        self.all_have_heard(&probes);
    }

    /// Each node holds what the table says, in all and by some selector.
    fn compare(&mut self) {
        let chosen = self.dice.below(SELECTORS.len() as u64) as usize;
        for (text, covers) in [SELECTORS[chosen], SELECTORS[SELECTORS.len() - 1]] {
            for (node, level) in self.levels.iter().enumerate() {
                let expected = level.keys().filter(|thing| covers(thing)).count() as u64;
                let held = self.held(node, &[text.to_owned()]);
                assert_eq!(held, expected, "{text} on node {node}\n{}", self.so_far());
            }
        }
    }
}

#[test]
fn counts_and_answers_are_what_a_table_says() {
    let seeds = std::env::var("MODEL_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    for seed in 1..=seeds.unwrap_or(3) {
        let mut world = World::start(seed);
        for _ in 0..60 {
            world.step();
        }
    }
}
