//! Where each guard must be missed: bounds so narrow that chance finds the hole soon.

use crate::guards::Guard;
use crate::scenarios::{
    Bounds, CROSSING, ENTRIES, EVICTED, FORGOTTEN, LATE, LIVES, LOST, PUBLISHED, REPLACED, SMALL,
    SOFTLY,
};
use crate::world::Level;

/// A server loses a soft order and its undoing, of which different nodes know.
const TOLD_AGAIN: Bounds = Bounds {
    keys: 2,
    writers: 2,
    nodes: 3,
    read: 4,
    write: 0,
    soften: 1,
    undo: 1,
    fail: 1,
    poll: 6,
    tick: 3,
    warm: "both",
    weights: &[("replicate", 0), ("fail", 4), ("undo", 20)],
    ..REPLACED
};
/// Two keys are written, one is read; the log is cut short while nodes come and go.
const TRIMMED: Bounds = Bounds {
    selectors: &["key:a", "key:b"],
    writers: 2,
    read: 4,
    write: 2,
    trim: 3,
    crash: 1,
    tick: 1,
    weights: &[("trim", 20), ("crash", 4), ("put", 1), ("read", 16)],
    ..Bounds::NONE
};
/// A put is still under way when all who know of the order on it are gone.
const FLYING: Bounds = Bounds { read: 4, tick: 6, warm: "flying", ..Bounds::NONE };
/// The server lets go of the order of things, name by name.
const LET_GO: Bounds = Bounds {
    levels: &[Level::Nodes],
    read: 4,
    write: 2,
    evict: 4,
    poll: 6,
    tick: 4,
    weights: &[("evict", 6), ("hear", 1)],
    ..EVICTED
};
/// It lets go of the head, twice within one moment.
const BEHEADED: Bounds = Bounds {
    selectors: &["tag:t"],
    levels: &[Level::Shared],
    writers: 1,
    read: 3,
    write: 0,
    evict: 1,
    evicts: &["head"],
    poll: 4,
    tick: 0,
    drop: 0,
    warm: "beheaded",
    weights: &[("evict", 6), ("hear", 0)],
    ..EVICTED
};
/// The server of the order of things loses everything.
const EMPTIED: Bounds = Bounds {
    selectors: &["tag:t"],
    fails: &["empty first"],
    crash: 2,
    weights: &[("crash", 4), ("fail", 4)],
    ..ENTRIES
};

/// Each guard, and the bounds within which its absence must be seen.
pub(crate) fn broken() -> Vec<(Guard, Bounds)> {
    [at_home(), abroad()].concat()
}

/// Where the servers stay.
fn at_home() -> Vec<(Guard, Bounds)> {
    vec![
        (Guard::Detach, SMALL),
        (Guard::Gate, SMALL),
        (Guard::GateShared, Bounds { warm: "shared", ..SMALL }),
        (Guard::GateRenewed, Bounds { warm: "l1", tick: 4, read: 4, ..LATE }),
        (Guard::Tombstone, FLYING),
        (Guard::TombstoneLasts, FLYING),
        (Guard::Late, Bounds { weights: &[("tick", 8)], ..FLYING }),
        (Guard::Mirror, SMALL),
        (Guard::Head, Bounds { selectors: &["tag:t"], warm: "shared", tick: 0, ..LATE }),
        (Guard::Gap, GAP),
        (Guard::Lag, Bounds { warm: "both", ..LATE }),
        (Guard::JoinLag, JOINED_LATE),
        (Guard::Waiting, SMALL),
        (Guard::Token, SMALL),
        (Guard::AckAfter, SMALL),
        (Guard::Confirm, Bounds { levels: &[Level::Nodes], ..SMALL }),
        (Guard::LateHead, SMALL),
        (Guard::Resync, CUT_OFF),
        (Guard::JoinRaise, Bounds { crash: 2, weights: &[("crash", 4)], ..LIVES }),
        (Guard::RaiseLast, JOINING),
        (Guard::Asked, Bounds { levels: &[Level::Nodes], tick: 0, poll: 0, ..JOINING }),
        (Guard::LoadFences, Bounds { selectors: &["tag:t"], ..LIVES }),
        (Guard::Retire, SWEPT),
        (Guard::TakeOver, Bounds { weights: &[("crash", 8)], warm: "shared", ..LIVES }),
        (Guard::Owed, PUBLISHED),
        (Guard::Soft, Bounds { undo: 0, ..SOFTLY }),
        (Guard::SoftFence, Bounds { write: 0, soften: 2, ..TRIMMED }),
    ]
}

/// Where servers are replaced.
fn abroad() -> Vec<(Guard, Bounds)> {
    let known = Bounds {
        nodes: 3,
        fails: &["empty first"],
        crash: 1,
        weights: &[("hear", 0), ("crash", 4), ("fail", 4)],
        ..CROSSING
    };
    let slow = Bounds { fails: &["slow first"], crash: 2, write: 2, split: true, ..REPLACED };
    let leaving = Bounds { leave: 2, weights: &[("replicate", 0), ("leave", 6)], ..LOST };
    vec![
        (Guard::ShortLog, CROSSING),
        (Guard::Undone, TOLD_AGAIN),
        (Guard::Reached, Bounds { deaf: 2, ..FORGOTTEN }),
        (Guard::RetireTurn, RETIRED),
        (Guard::Adopt, Bounds { poll: 3, ..LOST }),
        (Guard::Began, BEHEADED),
        (Guard::Whole, LET_GO),
        (Guard::TurnBelow, slow),
        (Guard::Replay, LOST),
        (Guard::Base, Bounds { fail: 2, weights: &[("hear", 0), ("fail", 4)], ..LOST }),
        (Guard::Quarantine, LOST),
        (Guard::Floor, Bounds { crash: 1, tick: 3, ..LOST }),
        (Guard::Repair, FORGOTTEN),
        (Guard::Memory, FORGOTTEN),
        (Guard::RunFirst, FORGOTTEN),
        (Guard::Reach, CROSSING),
        (Guard::OwnTurn, Bounds { deaf: 2, ..CROSSING }),
        (Guard::Fresh, Bounds { warm: "joining", read: 6, crash: 1, ..CROSSING_EMPTY }),
        (Guard::Meet, Bounds { warm: "joining", read: 6, crash: 1, ..CROSSING_EMPTY }),
        (Guard::Leave, leaving),
        (Guard::Bare, EMPTIED),
        (Guard::OwnFirst, Bounds { warm: "short", ..LOST }),
        (Guard::Known, known),
        (Guard::FencesFirst, Bounds { warm: "cut", poll: 0, ..CROSSING }),
    ]
}

const GAP: Bounds = Bounds {
    keys: 2,
    selectors: &["key:a", "key:b"],
    read: 4,
    write: 2,
    poll: 2,
    drop: 1,
    tick: 4,
    weights: &[("drop", 12), ("tick", 6), ("poll", 3)],
    ..Bounds::NONE
};
const JOINED_LATE: Bounds = Bounds {
    read: 5,
    weights: &[
        ("hear", 0),
        ("tick", 3),
        ("head", 30),
        ("look", 60),
        ("ask", 20),
        ("land", 0),
        ("step", 20),
        ("close", 20),
    ],
    ..LATE
};
const CUT_OFF: Bounds = Bounds {
    warm: "both",
    crash: 0,
    poll: 3,
    tick: 3,
    weights: &[("hear", 0), ("trim", 20), ("poll", 4), ("tick", 6)],
    ..TRIMMED
};
const SWEPT: Bounds = Bounds {
    selectors: &["tag:t", "key:b"],
    sweep: 4,
    crash: 2,
    weights: &[("put", 2), ("crash", 2), ("sweep", 8)],
    ..FLYING
};
/// The order of things is emptied while a node joins.
const CROSSING_EMPTY: Bounds = Bounds {
    fails: &["empty first"],
    weights: &[("hear", 0), ("crash", 4), ("fail", 8), ("replicate", 0), ("read", 3)],
    ..CROSSING
};
/// A node joins while others write.
const JOINING: Bounds = Bounds {
    read: 4,
    write: 1,
    poll: 4,
    tick: 4,
    warm: "booted",
    weights: &[("hear", 1), ("tick", 4), ("land", 2)],
    ..Bounds::NONE
};
/// A server is replaced between a sweep and the end of the fence.
const RETIRED: Bounds = Bounds {
    selectors: &["tag:t"],
    read: 3,
    fail: 1,
    fails: &["both"],
    sweep: 1,
    leave: 2,
    warm: "swept",
    weights: &[("replicate", 0), ("sweep", 4), ("leave", 6), ("fail", 12)],
    ..Bounds::NONE
};
