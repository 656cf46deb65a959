//! What becomes of an answer that goes out while it is still being fetched: whether the store took
//! it is known only when its body has ended, and its head has long gone by then. Whoever accounts
//! for such an answer waits for its fate, so that the logs say what happened and not what was
//! meant.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::limits;
use crate::base::reason::Reason;

/// Whether the store took an answer; clones are the same fate. It is decided once.
#[derive(Clone, Default)]
pub struct Fate(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    decided: Option<Result<(), Reason>>,
    waiting: Vec<Wake>,
}

impl State {
    fn refusal(&self) -> Option<Reason> {
        self.decided.and_then(Result::err)
    }
}

type Wake = Box<dyn FnOnce(Option<Reason>) + Send>;

impl Fate {
    /// Decides it: nothing when it was stored, else why not. The first word stands.
    pub fn decide(&self, refusal: Option<Reason>) {
        let mut state = self.state();
        let decided = *state.decided.get_or_insert(refusal.map_or(Ok(()), Err));
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        for wake in waiting {
            wake(decided.err());
        }
    }

    /// Whether it is decided.
    pub fn is_decided(&self) -> bool {
        self.state().decided.is_some()
    }

    /// Why it is not stored, as far as that is known.
    pub fn refusal(&self) -> Option<Reason> {
        self.state().refusal()
    }

    /// Tells why it was not stored, now or when that is decided. Beyond
    /// [`limits::FATE_WAITERS_MAX`] nobody waits: what is known is told.
    pub fn when_decided(&self, tell: impl FnOnce(Option<Reason>) + Send + 'static) {
        let mut state = self.state();
        if state.decided.is_none() && state.waiting.len() < limits::FATE_WAITERS_MAX {
            state.waiting.push(Box::new(tell));
            return;
        }
        let refusal = state.refusal();
        drop(state);
        tell(refusal);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fate").field(&self.state().decided).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn the_first_word_stands_and_all_hear_it() {
        let fate = Fate::default();
        let (told, hears) = channel();
        let tell = |to: &std::sync::mpsc::Sender<_>| {
            let to = to.clone();
            move |refusal| to.send(refusal).unwrap()
        };
        fate.when_decided(tell(&told));
        assert!(hears.try_recv().is_err() && !fate.is_decided());
        fate.decide(Some(Reason::TooLarge));
        fate.decide(None);
        fate.when_decided(tell(&told));
        let heard: Vec<_> = hears.try_iter().collect();
        assert_eq!(heard, [Some(Reason::TooLarge); 2]);
        assert_eq!(fate.refusal(), Some(Reason::TooLarge));
    }

    #[test]
    fn not_more_than_so_many_wait() {
        let fate = Fate::default();
        let (told, hears) = channel();
        for _ in 0..=limits::FATE_WAITERS_MAX {
            let told = told.clone();
            fate.when_decided(move |refusal| told.send(refusal).unwrap());
        }
        assert_eq!(hears.try_iter().count(), 1);
        fate.decide(None);
        assert_eq!(hears.try_iter().count(), limits::FATE_WAITERS_MAX);
    }
}
