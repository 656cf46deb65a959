//! What keeps the promise. Each can be taken away, and the checker must then see it missing.

/// One rule of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Nobody joins a flight that began before an order on it.
    Detach,
    /// What lands in L1 was born after the last order on it.
    Gate,
    /// A hit of the shared level enters L1 with the birth of its flight.
    GateShared,
    /// A renewed entry has the birth of its flight.
    GateRenewed,
    /// An erased key leaves a tombstone that late puts meet.
    Tombstone,
    /// The tombstone outlives every put that it must refuse.
    TombstoneLasts,
    /// A put is refused when its flight asked too long ago.
    Late,
    /// Frames are judged by the orders that are known.
    Mirror,
    /// The head is asked and caught up with before a frame is judged.
    Head,
    /// A message that does not follow the last one is not applied.
    Gap,
    /// L1 is used only while the node is in contact.
    Lag,
    /// A flight is joined only while it is young or the node in contact.
    JoinLag,
    /// Own orders count from the moment they are given.
    Waiting,
    /// The token is taken before the origin is asked.
    Token,
    /// A write is answered after its purge.
    AckAfter,
    /// `nodes` waits for everybody, or for the time after which nobody trusts an older copy.
    Confirm,
    /// `nodes` asks those who are members when the number is given, not those it knows of.
    Asked,
    /// While not all have reported nobody knows who they are: then it is not `nodes`.
    Whole,
    /// Contact counts only after catching up.
    LateHead,
    /// A log that does not reach back ends the trust in what is held.
    Resync,
    /// A log that ends before the head is another server's; nothing is cut off from it.
    ShortLog,
    /// Who joins distrusts what it cached alone.
    JoinRaise,
    /// It does so when it has read the log, not before.
    RaiseLast,
    /// Who joins, or missed some, loads the fences.
    LoadFences,
    /// A fence goes when no put from before it can come any more.
    Retire,
    /// A fence is taken away only from the server that was swept.
    RetireTurn,
    /// What a dead node began is ended by another.
    TakeOver,
    /// A server that was replaced is noticed.
    Adopt,
    /// A turn below one that a member has seen is given up.
    TurnBelow,
    /// Orders that a server lost are told again.
    Replay,
    /// A second change of servers does not forget what the first one lost.
    Base,
    /// Frames of earlier turns wait until all have reported.
    Quarantine,
    /// Who does not report is replaced by an order on everything.
    Floor,
    /// Key orders are repeated on an entry server that was replaced.
    Repair,
    /// Such a server counts as repaired only if all of them reached it.
    Reached,
    /// What such a server holds from before the memory of who repaired it is not used.
    Memory,
    /// A server counts as repaired only if that was known before it was asked.
    RunFirst,
    /// What a server said counts only if its log, read later, is still its own.
    Reach,
    /// A server that counts this node in, in a turn it knows nothing of, is checked in to anew.
    OwnTurn,
    /// Turns of one number are told apart by when they began.
    Began,
    /// Who never checked in joins anew when a turn ends under its joining.
    Fresh,
    /// Nobody leaves who may be the only one to know of an order.
    Leave,
    /// An emptied server refuses the frames of earlier turns to who joins.
    Bare,
    /// Orders that must be a node's own are numbered before it counts as checked in.
    OwnFirst,
    /// Who checks in hears who the members are.
    Meet,
    /// Members tell the server whom they know.
    Known,
    /// Fences are loaded before the log is read to its end.
    FencesFirst,
    /// What a soft order names is stale in the shared level as well.
    Soft,
    /// A soft order leaves a fence for each thing that it names.
    SoftFence,
    /// A soft order that was undone has no effect when it is told again.
    Undone,
    /// What programs publish is given by somebody else when the first does not.
    Owed,
}

/// Which guards stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guards(Option<Guard>);

impl Guards {
    /// The protocol as designed.
    pub(crate) const SOUND: Self = Self(None);

    /// Without one of them.
    pub(crate) const fn without(guard: Guard) -> Self {
        Self(Some(guard))
    }

    /// Whether this one stands.
    pub(crate) fn has(self, guard: Guard) -> bool {
        self.0 != Some(guard)
    }
}
