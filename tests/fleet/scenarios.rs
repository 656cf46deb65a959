//! What may happen in a run, and how often.

use crate::world::Level;

/// The bounds of a run. Numbers are how often something may still happen.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub(crate) nodes: usize,
    pub(crate) keys: usize,
    /// The first so many nodes write.
    pub(crate) writers: usize,
    pub(crate) selectors: &'static [&'static str],
    pub(crate) levels: &'static [Level],
    /// Keys stand on a server of their own.
    pub(crate) split: bool,
    /// Entries of a key stand where its text leads; otherwise fences stand for it.
    pub(crate) located: bool,
    /// Where the first version stands already: nowhere, in `l1`, in the `shared` level and on its
    /// replica, or in `both`. `lost`: a write came after the replica, and one node knows of it;
    /// `short`: not even that one, any more; `cut`: and the log was cut behind it;
    /// `forgotten`: and a node joined after that; `flying`: and the first put is still under way;
    /// `booted`: one node has yet to join; `joining`: it has loaded all, before the write; `swept`:
    /// a fence is about to be taken away; `beheaded`: the head went, and one node wrote in a turn
    /// that the other has not heard of.
    pub(crate) warm: &'static str,
    /// The wall clock stands still: turns of servers that forgot everything have one number.
    pub(crate) one_moment: bool,
    /// Which servers fail, and what is left of them.
    pub(crate) fails: &'static [&'static str],
    /// What a full server may let go of, one name at a time.
    pub(crate) evicts: &'static [&'static str],
    /// Other weights than the usual ones, in a random run.
    pub(crate) weights: &'static [(&'static str, u64)],
    pub(crate) read: u8,
    pub(crate) write: u8,
    pub(crate) soften: u8,
    pub(crate) undo: u8,
    pub(crate) publish: u8,
    pub(crate) poll: u8,
    pub(crate) drop: u8,
    pub(crate) deaf: u8,
    pub(crate) cut: u8,
    pub(crate) crash: u8,
    pub(crate) leave: u8,
    pub(crate) tick: u8,
    pub(crate) fail: u8,
    pub(crate) trim: u8,
    pub(crate) evict: u8,
    pub(crate) sweep: u8,
    pub(crate) degrade: u8,
}

impl Bounds {
    /// Two nodes, one key, one server; nothing happens yet.
    pub(crate) const NONE: Self = Self {
        nodes: 2,
        keys: 1,
        writers: 1,
        selectors: &["key:a"],
        levels: &[Level::Shared],
        split: false,
        located: true,
        warm: "",
        one_moment: false,
        fails: &[],
        evicts: &[],
        weights: &[],
        read: 0,
        write: 0,
        soften: 0,
        undo: 0,
        publish: 0,
        poll: 0,
        drop: 0,
        deaf: 0,
        cut: 0,
        crash: 0,
        leave: 0,
        tick: 0,
        fail: 0,
        trim: 0,
        evict: 0,
        sweep: 0,
        degrade: 0,
    };

    fn budget(&mut self, kind: &str) -> Option<&mut u8> {
        Some(match kind {
            "read" => &mut self.read,
            "write" => &mut self.write,
            "soften" => &mut self.soften,
            "undo" => &mut self.undo,
            "publish" => &mut self.publish,
            "poll" => &mut self.poll,
            "drop" => &mut self.drop,
            "deaf" => &mut self.deaf,
            "cut" => &mut self.cut,
            "crash" => &mut self.crash,
            "leave" => &mut self.leave,
            "tick" => &mut self.tick,
            "fail" => &mut self.fail,
            "trim" => &mut self.trim,
            "evict" => &mut self.evict,
            "sweep" => &mut self.sweep,
            "degrade" => &mut self.degrade,
            _ => return None,
        })
    }

    /// Something of this kind happens.
    pub(crate) fn spend(&mut self, kind: &str) {
        if let Some(left) = self.budget(kind) {
            *left = left.saturating_sub(1);
        }
    }

    /// Nothing new happens any more.
    pub(crate) const fn rest(&mut self) {
        let (nodes, keys, writers) = (self.nodes, self.keys, self.writers);
        let (split, located, one_moment) = (self.split, self.located, self.one_moment);
        *self = Self { nodes, keys, writers, split, located, one_moment, ..Self::NONE };
    }

    /// What may still happen.
    pub(crate) fn left(&self) -> [u8; 17] {
        [
            self.read,
            self.write,
            self.soften,
            self.undo,
            self.publish,
            self.poll,
            self.drop,
            self.deaf,
            self.cut,
            self.crash,
            self.leave,
            self.tick,
            self.fail,
            self.trim,
            self.evict,
            self.sweep,
            self.degrade,
        ]
    }
}

const BOTH: &[Level] = &[Level::Shared, Level::Nodes];

/// Everything may happen, on one server.
pub(crate) const ONE_SERVER: Bounds = Bounds {
    keys: 2,
    writers: 2,
    selectors: &["key:a", "tag:t"],
    levels: BOTH,
    fails: &["both", "empty"],
    read: 8,
    write: 3,
    poll: 6,
    drop: 2,
    deaf: 1,
    cut: 1,
    crash: 1,
    tick: 8,
    fail: 1,
    trim: 1,
    sweep: 3,
    degrade: 1,
    ..Bounds::NONE
};
/// The same with keys on a server of their own.
pub(crate) const TWO_SERVERS: Bounds = Bounds {
    split: true,
    fails: &["first", "last", "both", "empty first", "slow first"],
    ..ONE_SERVER
};
/// Three nodes, with keys that no slot answers for.
pub(crate) const THREE_NODES: Bounds =
    Bounds { nodes: 3, located: false, split: true, fails: &["first", "last"], ..ONE_SERVER };
/// Ordinary days.
pub(crate) const SMALL: Bounds = Bounds {
    selectors: &["key:a", "tag:t"],
    read: 5,
    write: 2,
    poll: 3,
    drop: 1,
    tick: 4,
    sweep: 3,
    degrade: 1,
    cut: 1,
    ..Bounds::NONE
};
/// Nodes come and go.
pub(crate) const LIVES: Bounds = Bounds {
    selectors: &["key:a", "tag:t"],
    read: 4,
    write: 2,
    poll: 2,
    crash: 1,
    leave: 1,
    tick: 6,
    trim: 1,
    sweep: 3,
    ..Bounds::NONE
};
/// A server is replaced, and what it held comes back older.
pub(crate) const REPLACED: Bounds = Bounds {
    read: 3,
    write: 1,
    fail: 1,
    fails: &["both"],
    tick: 2,
    warm: "shared",
    weights: &[("replicate", 0), ("hear", 1)],
    ..Bounds::NONE
};
/// The server of the keys is replaced while nodes come and go.
pub(crate) const ENTRIES: Bounds = Bounds {
    read: 3,
    write: 1,
    crash: 1,
    trim: 2,
    fail: 1,
    fails: &["last"],
    split: true,
    tick: 2,
    warm: "shared",
    weights: &[("put", 1), ("trim", 4), ("replicate", 0)],
    ..Bounds::NONE
};
/// Time passes without contact.
pub(crate) const LATE: Bounds = Bounds {
    read: 3,
    write: 1,
    tick: 4,
    weights: &[("hear", 1), ("tick", 12), ("land", 1), ("read", 6)],
    ..Bounds::NONE
};
/// Programs publish.
pub(crate) const PUBLISHED: Bounds = Bounds {
    keys: 2,
    publish: 2,
    read: 4,
    poll: 3,
    tick: 5,
    drop: 1,
    deaf: 1,
    warm: "both",
    ..Bounds::NONE
};

/// Orders are soft, and some are undone, while everything may happen.
pub(crate) const SOFT: Bounds = Bounds {
    write: 1,
    soften: 3,
    undo: 2,
    crash: 2,
    trim: 3,
    warm: "both",
    weights: &[("trim", 3)],
    ..ONE_SERVER
};
/// Nothing but soft orders in ordinary days.
pub(crate) const SOFTLY: Bounds = Bounds { write: 0, soften: 2, undo: 1, ..SMALL };
/// A server loses a write that one node knows of.
pub(crate) const LOST: Bounds = Bounds {
    read: 4,
    fail: 1,
    fails: &["both"],
    warm: "lost",
    weights: &[("replicate", 0), ("hear", 0)],
    ..Bounds::NONE
};
/// The same, where the server of the keys stays.
pub(crate) const CROSSING: Bounds =
    Bounds { selectors: &["tag:t"], fails: &["first"], split: true, poll: 2, ..LOST };
/// The server of the keys is replaced, and one node knows less than the other.
pub(crate) const FORGOTTEN: Bounds =
    Bounds { fails: &["last"], split: true, poll: 4, warm: "forgotten", ..LOST };
/// A full server lets go of the order of things, name by name.
pub(crate) const EVICTED: Bounds = Bounds {
    selectors: &["key:a", "tag:t"],
    writers: 2,
    levels: BOTH,
    read: 6,
    write: 4,
    evict: 5,
    evicts: &["head", "log", "fences", "members", "expect", "done", "open", "runs", "tombstones"],
    poll: 8,
    tick: 4,
    drop: 2,
    warm: "both",
    one_moment: true,
    weights: &[("evict", 4)],
    ..Bounds::NONE
};
/// Ordinary life and every kind of fault, with how many walks each gets.
pub(crate) fn all() -> Vec<(&'static str, Bounds, u64)> {
    let often = Bounds { fail: 2, crash: 2, leave: 1, tick: 12, ..ONE_SERVER };
    let apart = Bounds { fail: 3, crash: 2, leave: 1, tick: 12, deaf: 2, ..TWO_SERVERS };
    let unlogged = Bounds {
        selectors: &["key:a"],
        evicts: &["log", "tombstones"],
        warm: "",
        weights: &[("evict", 6), ("hear", 0), ("put", 1)],
        ..EVICTED
    };
    vec![
        ("small", SMALL, 250),
        ("lives", LIVES, 250),
        ("late", LATE, 200),
        ("published", PUBLISHED, 250),
        ("replaced", REPLACED, 250),
        ("entries", ENTRIES, 250),
        ("one server", ONE_SERVER, 250),
        ("one server, often", often, 250),
        ("two servers", TWO_SERVERS, 250),
        ("two servers, often", apart, 250),
        ("three nodes", THREE_NODES, 250),
        ("soft", SOFT, 250),
        (
            "soft, two servers",
            Bounds { split: true, fails: &["first", "last", "both"], ..SOFT },
            250,
        ),
        ("soft, three nodes", Bounds { nodes: 3, located: false, fails: &["both"], ..SOFT }, 250),
        ("softly", SOFTLY, 250),
        ("evicted", EVICTED, 250),
        ("evicted, three nodes", Bounds { nodes: 3, ..EVICTED }, 250),
        ("evicted, and nodes come", Bounds { nodes: 3, crash: 2, leave: 1, ..EVICTED }, 250),
        ("evicted, the log alone", unlogged, 250),
    ]
}

/// Scenarios small enough to go through every order of what happens; the first so many within the
/// usual bound of states, the others with more effort.
pub(crate) fn few_events() -> Vec<(&'static str, Bounds, bool)> {
    let none = Bounds::NONE;
    let nodes: &[Level] = &[Level::Nodes];
    let tag: &[&str] = &["tag:t"];
    let warm = Bounds { read: 1, write: 1, warm: "both", ..none.clone() };
    let failed = Bounds { read: 1, write: 1, fail: 1, warm: "shared", ..none.clone() };
    let apart = Bounds { fails: &["first", "last"], split: true, ..failed.clone() };
    let once = Bounds { read: 1, poll: 0, ..none.clone() };
    let lost = Bounds { read: 1, ..LOST };
    vec![
        ("one node", Bounds { nodes: 1, read: 2, write: 1, ..none.clone() }, true),
        ("two nodes", Bounds { write: 1, ..once.clone() }, true),
        ("a node dies", Bounds { write: 1, crash: 1, ..once }, false),
        ("confirmed by all", Bounds { levels: nodes, tick: 2, ..warm.clone() }, false),
        ("a failover has lost a write", lost.clone(), false),
        ("the order of things has lost a write", Bounds { read: 1, poll: 0, ..CROSSING }, false),
        (
            "a soft order, undone",
            Bounds { read: 1, soften: 1, undo: 1, warm: "both", ..none.clone() },
            false,
        ),
        ("one node, more", Bounds { nodes: 1, read: 3, write: 1, ..none.clone() }, false),
        ("two nodes, more", Bounds { read: 2, write: 1, ..none.clone() }, false),
        (
            "a tag, swept",
            Bounds { read: 2, write: 1, selectors: tag, sweep: 3, ..none.clone() },
            false,
        ),
        ("a lost message", Bounds { drop: 1, poll: 1, tick: 3, ..warm.clone() }, false),
        ("away and back", Bounds { cut: 1, degrade: 1, ..warm }, false),
        ("a failover", Bounds { fails: &["both"], ..failed.clone() }, false),
        ("emptied", Bounds { fails: &["empty"], warm: "both", ..failed }, false),
        ("a failover, and a node dies", Bounds { crash: 1, tick: 2, ..lost }, false),
        ("two servers", Bounds { read: 2, write: 1, split: true, ..none }, false),
        ("one of two fails", apart.clone(), false),
        ("one is emptied", Bounds { fails: &["empty first"], selectors: tag, ..apart }, false),
        ("a node knows less", Bounds { read: 1, poll: 1, ..FORGOTTEN }, false),
    ]
}
