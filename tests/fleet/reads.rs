//! Reads, and the flights that fill L1.

use cistern::base::ids::{Number, SoftId};
use cistern::store::coherence::Verdict;

use crate::guards::Guard;
use crate::node::{Held, KEYS, facts, tags};
use crate::server::{HeadReply, Place};
use crate::slots::FLY;
use crate::slots::{Frame, Put};
use crate::world::World;

/// How many records of the log come at once.
const PAGE: usize = 2;

/// Somebody who waits for a flight, and what it must not fall short of.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) low: u64,
    pub(crate) strong: u64,
    pub(crate) leads: bool,
}

/// How far a catching up with the log has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Catch {
    /// The log is to be read; the fences were loaded.
    Log { fences: bool },
    /// The log does not reach back: the fences are to be loaded.
    Fences,
    /// All is read.
    Done,
}

/// How far the question for the head has come.
#[derive(Clone, Debug)]
pub(crate) enum HeadStep {
    Wanted,
    Catching(Place, Catch),
    /// The token and whether the turn is clean, if there was an answer.
    Done(Option<(Number, bool)>),
}

/// How far the question to the server of the key has come.
#[derive(Clone, Debug)]
pub(crate) enum Look {
    Wanted,
    /// The frame was read; what speaks against it is asked next, over the same connection.
    Read(Seen),
    Failed,
    Done(Seen),
}

/// What was found on the server of the key.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    frame: Option<Frame>,
    millis: u64,
    run: u64,
    /// From which number on its frames may be used, as was known when it was asked.
    floor: Option<Number>,
}

/// One flight.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) id: u64,
    pub(crate) key: usize,
    pub(crate) begun: u64,
    /// The version that it renews.
    pub(crate) old: Option<u64>,
    pub(crate) head: HeadStep,
    pub(crate) look: Look,
    /// The frame of the shared level may be used, or the origin must be asked.
    pub(crate) use_frame: Option<bool>,
    pub(crate) fetched: Option<u64>,
    pub(crate) is_replaced: bool,
    pub(crate) readers: Vec<Reader>,
}

fn answer(need: u64, version: u64, how: &str) -> Result<(), String> {
    if version < need {
        return Err(format!("a read needed version {need} and got {version} from {how}"));
    }
    Ok(())
}

impl World {
    /// A read of a key begins.
    pub(crate) fn read(&mut self, n: usize, key: usize) -> Result<(), String> {
        let (low, strong) = self.need(n, key);
        let (g, now) = (self.guards, self.now);
        let node = &mut self.nodes[n];
        if let Some(held) = node.l1.get(&key)
            && (node.trust.holds(held.born, held.known, now) || !g.has(Guard::Lag))
            && held.softs.is_empty()
        {
            return answer(low, held.version, "L1");
        }
        let (local, trust) = (&node.local, &node.trust);
        let joined = node.flights.iter_mut().find(|flight| {
            flight.key == key
                && !flight.is_replaced
                && (local.admits(flight.id, &facts(KEYS[key], None)) || !g.has(Guard::Detach))
                && (trust.holds(local.birth(flight.id), flight.begun, now)
                    || !g.has(Guard::JoinLag))
        });
        if let Some(flight) = joined {
            flight.readers.push(Reader { low, strong, leads: false });
            return Ok(());
        }
        for flight in node.flights.iter_mut().filter(|flight| flight.key == key) {
            flight.is_replaced = true;
        }
        node.begun += 1;
        node.local.begin(node.begun);
        node.flights.push(Flight {
            id: node.begun,
            key,
            begun: now,
            old: node.l1.get(&key).map(|held| held.version),
            head: HeadStep::Wanted,
            look: Look::Wanted,
            use_frame: None,
            fetched: None,
            is_replaced: false,
            readers: vec![Reader { low, strong, leads: true }],
        });
        Ok(())
    }

    /// The next step of the question for the head.
    pub(crate) fn flight_head(&mut self, n: usize, at: usize) {
        let g = self.guards;
        let node = &mut self.nodes[n];
        let (life, applied) = (node.life(), node.member.applied());
        let (own, turn) = (node.turn(), node.member.turn());
        let next = match node.flights[at].head.clone() {
            _ if !node.connected => HeadStep::Done(None),
            HeadStep::Wanted => match self.servers[0].head(g, (life, applied), own, None) {
                HeadReply::Ok(place, _) if place.turn == turn || !g.has(Guard::OwnTurn) => {
                    if !g.has(Guard::Head) || node.member.has_reached(turn, place.last) {
                        HeadStep::Done(Some((applied, place.clean)))
                    } else {
                        HeadStep::Catching(place, Catch::Log { fences: false })
                    }
                }
                _ => HeadStep::Done(None),
            },
            HeadStep::Catching(place, catch) => {
                let next = self.catch_up(n, catch, place.last);
                let member = &self.nodes[n].member;
                let reached = member.has_reached(place.turn, place.last) || !g.has(Guard::Reach);
                match next {
                    Catch::Done if reached => HeadStep::Done(Some((member.applied(), place.clean))),
                    Catch::Done => HeadStep::Done(None),
                    next => HeadStep::Catching(place, next),
                }
            }
            done @ HeadStep::Done(_) => done,
        };
        self.nodes[n].flights[at].head = next;
        self.decide(n, at);
    }

    /// One step of catching up with the log.
    pub(crate) fn catch_up(&mut self, n: usize, catch: Catch, last: Number) -> Catch {
        let (g, now) = (self.guards, self.now);
        let server = &self.servers[0];
        let node = &mut self.nodes[n];
        let Catch::Log { fences } = catch else {
            if catch == Catch::Fences {
                self.load_fences(n);
            }
            let again = catch == Catch::Fences && g.has(Guard::FencesFirst);
            return if again { Catch::Log { fences: true } } else { Catch::Done };
        };
        let records = server.log_after(node.member.applied());
        if records.is_empty() && node.member.applied() < last && !g.has(Guard::ShortLog) {
            node.distrust();
            node.member.skip_to(last);
        }
        let gap = records.first().is_some_and(|record| node.member.next(record).is_err());
        let resync = gap && g.has(Guard::Resync);
        if resync && !fences && g.has(Guard::FencesFirst) {
            return Catch::Fences;
        }
        if resync {
            node.distrust();
        }
        // Two make a page: the next one is asked for in a step of its own.
        let is_last = records.len() <= PAGE;
        for (place, record) in records.iter().take(PAGE).enumerate() {
            if place == 0 && gap {
                if resync {
                    node.member.skip_to(record.previous);
                }
                node.raise_heard(g, &record.order);
                node.apply(record, now);
            } else {
                node.take(g, record, now).expect("records of a log follow each other");
            }
        }
        match is_last {
            _ if resync && !fences => Catch::Fences,
            true => Catch::Done,
            false => Catch::Log { fences: false },
        }
    }

    /// The next step of the question to the server of the key: the frame, then all else.
    pub(crate) fn flight_look(&mut self, n: usize, at: usize) {
        let node = &mut self.nodes[n];
        let flight = &mut node.flights[at];
        let key = KEYS[flight.key];
        let server = self.servers.last_mut().filter(|_| node.connected);
        flight.look = match (std::mem::replace(&mut flight.look, Look::Failed), server) {
            (Look::Wanted, Some(server)) => {
                let (frame, run) = (server.frame(key, ""), server.run);
                let floor = node.runs.get(&run).copied();
                Look::Read(Seen { frame, millis: 0, run, floor })
            }
            // A connection ends with the server that it leads to. That a tombstone speaks against
            // the frame is not counted on: it may have been evicted.
            (Look::Read(seen), Some(server)) if server.run == seen.run => {
                let looked = server.look((key, ""), ("", false), self.now);
                Look::Done(Seen { millis: looked.millis, ..seen })
            }
            _ => Look::Failed,
        };
        self.decide(n, at);
    }

    /// Both answers are there: may the frame be used?
    fn decide(&mut self, n: usize, at: usize) {
        let g = self.guards;
        let node = &mut self.nodes[n];
        let flight = &node.flights[at];
        let HeadStep::Done(head) = &flight.head else { return };
        if matches!(flight.look, Look::Wanted | Look::Read(_)) {
            return;
        }
        let (mut usable, mut stale) = (false, None);
        if let (Some((_, clean)), Look::Done(Seen { frame: Some(frame), run, floor, .. })) =
            (head, &flight.look)
        {
            let known = if g.has(Guard::RunFirst) {
                *floor
            } else {
                self.servers[0].data.runs.get(run).copied()
            };
            let floor = if g.has(Guard::Repair) { known } else { Some(Number::default()) };
            let floor = if g.has(Guard::Memory) { floor } else { floor.map(|_| Number::default()) };
            let clean = *clean || !g.has(Guard::Quarantine);
            let tags = tags();
            let facts = facts(KEYS[flight.key], Some(&tags));
            let verdict = node.member.judge(&facts, frame.number, clean);
            let judged =
                verdict == Verdict::Current || verdict == Verdict::Purged && !g.has(Guard::Mirror);
            usable = judged && floor.is_some_and(|floor| frame.number >= floor);
            let softs = node.member.softs_on(&facts, frame.number);
            let softs: Vec<SoftId> = softs.iter().map(|soft| soft.id).collect();
            if usable && !softs.is_empty() && g.has(Guard::Soft) {
                usable = false;
                stale = Some((frame.version, softs));
            }
        }
        node.flights[at].use_frame = Some(usable);
        if let Some((version, softs)) = stale {
            // It stands there as stale, and the origin is asked.
            self.hold(n, at, version, false, softs);
        }
    }

    /// The frame becomes an entry of L1, and answers.
    pub(crate) fn flight_keep(&mut self, n: usize, at: usize) -> Result<(), String> {
        let flight = &self.nodes[n].flights[at];
        let Look::Done(Seen { frame: Some(frame), .. }) = &flight.look else { return Ok(()) };
        let version = frame.version;
        let past = !self.guards.has(Guard::GateShared);
        self.hold(n, at, version, past, Vec::new());
        self.land(n, at, version, "the shared level")
    }

    /// Stores in L1 what may be stored; `past` the fences where a guard is away.
    fn hold(&mut self, n: usize, at: usize, version: u64, past: bool, softs: Vec<SoftId>) {
        let node = &mut self.nodes[n];
        let flight = &node.flights[at];
        let tags = tags();
        let admitted = node.local.admits(flight.id, &facts(KEYS[flight.key], Some(&tags)));
        let birth = node.local.birth(flight.id);
        let born = if past { node.local.tick() } else { birth };
        if admitted || past {
            node.l1.insert(flight.key, Held { born, known: flight.begun, version, softs });
        }
    }

    /// The origin reads its data.
    pub(crate) fn flight_ask(&mut self, n: usize, at: usize) {
        let flight = &mut self.nodes[n].flights[at];
        flight.fetched = Some(self.origin[flight.key]);
    }

    /// The answer of the origin arrives.
    pub(crate) fn flight_land(&mut self, n: usize, at: usize) -> Result<(), String> {
        let g = self.guards;
        let node = &self.nodes[n];
        let flight = &node.flights[at];
        let Some(version) = flight.fetched else { return Ok(()) };
        let mut token = match &flight.head {
            HeadStep::Done(Some((token, _))) => Some(*token),
            _ => None,
        };
        if token.is_some() && !g.has(Guard::Token) {
            token = self.servers[0].data.head.as_ref().map(|head| head.last);
        }
        let tags = tags();
        let key = KEYS[flight.key];
        let admitted = node.local.admits(flight.id, &facts(key, Some(&tags)));
        if let (Some(number), Look::Done(seen)) = (token, &flight.look)
            && node.connected
            && (admitted || !g.has(Guard::Gate))
        {
            self.puts.push(Put {
                key: key.to_owned(),
                identity: String::new(),
                frame: Frame { number, version },
                variant: (String::new(), String::new()),
                keep: 1_000,
                run: seen.run,
                looked: seen.millis,
                late: FLY,
                token: String::new(),
            });
        }
        let renews = flight.old == Some(version) && !g.has(Guard::GateRenewed);
        self.hold(n, at, version, renews || !g.has(Guard::Gate), Vec::new());
        self.land(n, at, version, "the origin")
    }

    fn land(&mut self, n: usize, at: usize, version: u64, how: &str) -> Result<(), String> {
        let node = &mut self.nodes[n];
        let flight = node.flights.remove(at);
        node.local.end(flight.id);
        for reader in flight.readers {
            let need = if reader.leads { reader.strong } else { reader.low };
            answer(need, version, how)?;
        }
        Ok(())
    }
}
