//! Ways through the world: random ones that end at rest, and all of them within bounds.

use std::collections::HashSet;
use std::fmt;

use crate::actions::Action;
use crate::dice::Dice;
use crate::guards::Guards;
use crate::node::{KEYS, LAG};
use crate::reads::HeadStep;
use crate::scenarios::Bounds;
use crate::world::{PATIENCE, World};

/// A promise that was broken, and how.
pub(crate) struct Broken {
    pub(crate) what: String,
    pub(crate) trace: Vec<Action>,
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.what)?;
        self.trace.iter().try_for_each(|action| writeln!(f, "  {action:?}"))
    }
}

/// One random run of at most so many steps, then rest. How many steps it took.
pub(crate) fn walk(start: &World, seed: u64, most: usize) -> Result<usize, Broken> {
    let mut world = start.clone();
    let mut dice = Dice::seeded(seed);
    let mut trace = Vec::new();
    let outcome =
        wander(&mut world, &mut dice, most, &mut trace).and_then(|()| rest(&mut world, &mut trace));
    match outcome {
        Ok(()) => Ok(trace.len()),
        Err(what) => Err(Broken { what, trace }),
    }
}

fn wander(
    world: &mut World,
    dice: &mut Dice,
    most: usize,
    trace: &mut Vec<Action>,
) -> Result<(), String> {
    for _ in 0..most {
        let actions = world.enabled();
        let other = world.bounds.weights;
        let weigh = |action: &Action| {
            let (kind, usual) = action.kind();
            other.iter().find(|(name, _)| *name == kind).map_or(usual * 2, |(_, weight)| *weight)
        };
        let weights: Vec<u64> = actions.iter().map(weigh).collect();
        if weights.iter().sum::<u64>() == 0 {
            break;
        }
        let action = &actions[dice.weighted(&weights)];
        trace.push(action.clone());
        world.step(action)?;
    }
    Ok(())
}

/// Everything heals and time passes; then every node is in contact, and answers with the newest
/// version.
fn rest(world: &mut World, trace: &mut Vec<Action>) -> Result<(), String> {
    world.bounds.rest();
    for _ in 0..LAG + PATIENCE + 4 {
        settle_down(world, trace)?;
        trace.push(Action::Tick);
        world.step(&Action::Tick)?;
    }
    settle_down(world, trace)?;
    if let Some(n) = world.nodes.iter().position(|node| !node.trust.is_current(world.now)) {
        return Err(format!("node {n} is not in contact at rest"));
    }
    world.left_stale()?;
    // What was undone is not promised any more.
    if world.lost || !world.unheard.is_empty() || !world.undone.is_empty() {
        return Ok(());
    }
    for n in 0..world.nodes.len() {
        for key in 0..world.bounds.keys {
            trace.push(Action::Read(n, key));
            final_read(world, n, key)?;
        }
    }
    Ok(())
}

/// Everything that can be done is done, and every node asks for the head once.
fn settle_down(world: &mut World, trace: &mut Vec<Action>) -> Result<(), String> {
    let mut polled = 0;
    for round in 0..500 {
        world.bounds.poll = 9;
        let actions = world.enabled();
        let is_needed = |action: &&Action| match action {
            Action::Poll(n) => !world.is_in_touch(*n),
            _ => true,
        };
        let needed: Vec<_> = actions.iter().filter(is_needed).collect();
        let mut next = needed.get(round % needed.len().max(1)).copied().cloned();
        if next.is_none() && polled < world.nodes.len() {
            next = Some(Action::Poll(polled));
            polled += 1;
        }
        let Some(action) = next else { return Ok(()) };
        trace.push(action.clone());
        world.step(&action)?;
    }
    Err("the fleet does not come to rest".to_owned())
}

fn final_read(world: &mut World, n: usize, key: usize) -> Result<(), String> {
    let newest = world.origin[key];
    let before = world.nodes[n].flights.len();
    world.read(n, key)?;
    if world.nodes[n].flights.len() == before {
        let version = world.nodes[n].l1.get(&key).map_or(0, |held| held.version);
        if version < newest {
            return Err(format!("{} at rest is {version}, not {newest}, in L1", KEYS[key]));
        }
        return Ok(());
    }
    while let Some(flight) = world.nodes[n].flights.first_mut() {
        for reader in &mut flight.readers {
            (reader.low, reader.strong) = (newest, newest);
        }
        match (flight.use_frame, flight.fetched) {
            (Some(true), _) => world.flight_keep(n, 0)?,
            (Some(false), None) => world.flight_ask(n, 0),
            (Some(false), Some(_)) => world.flight_land(n, 0)?,
            (None, _) if matches!(flight.head, HeadStep::Done(_)) => world.flight_look(n, 0),
            (None, _) => world.flight_head(n, 0),
        }
    }
    Ok(())
}

/// What an exhaustive run saw.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Explored {
    pub(crate) states: usize,
    pub(crate) ends: usize,
    pub(crate) is_complete: bool,
}

/// Every order of things, depth first, up to so many states.
pub(crate) fn exhaust(guards: Guards, bounds: &Bounds, most: usize) -> Result<Explored, Broken> {
    let first = World::new(guards, bounds.clone());
    let mut seen = HashSet::from([first.digest()]);
    let mut stack = vec![(first, Vec::new())];
    let mut explored = Explored { is_complete: true, ..Explored::default() };
    while let Some((world, path)) = stack.pop() {
        if seen.len() > most {
            explored.is_complete = false;
            break;
        }
        let actions = world.enabled();
        explored.ends += usize::from(actions.is_empty());
        for action in actions {
            let mut next = world.clone();
            let mut path: Vec<Action> = path.clone();
            path.push(action.clone());
            if let Err(what) = next.step(&action) {
                return Err(Broken { what, trace: path });
            }
            if seen.insert(next.digest()) {
                stack.push((next, path));
            }
        }
    }
    explored.states = seen.len();
    Ok(explored)
}
