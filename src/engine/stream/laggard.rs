//! Who can be cut off when memory is needed: readers that stand still, or nearly, while bytes are
//! held for them alone.

use std::sync::{Arc, Mutex, Weak};

use tokio::time::Instant;

use super::{Place, State, Stream, wake};

/// A reader that does not keep pace while bytes are held for it alone.
#[derive(Debug)]
pub struct Laggard {
    /// How many bytes are held for it, at most.
    pub held: u64,
    stream: Stream,
    reader: u64,
}

impl Laggard {
    /// Takes away what is held for it: it loses its answer. Whether it was still there.
    pub fn cut(self) -> bool {
        let mut state = self.stream.state();
        let Some(place) = state.readers.remove(&self.reader) else { return false };
        state.trim();
        let wakers = place.waker.into_iter().chain(state.writer.take()).collect();
        drop(state);
        wake(wakers);
        true
    }
}

/// A body on its way, as long as somebody else holds it.
#[derive(Debug)]
pub struct WeakStream(Weak<Mutex<State>>);

impl WeakStream {
    /// The body, if anybody still holds it.
    pub fn upgrade(&self) -> Option<Stream> {
        self.0.upgrade().map(|state| Stream { state })
    }

    /// Whether nobody does.
    pub fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl Stream {
    /// The same body, without keeping it.
    pub fn downgrade(&self) -> WeakStream {
        WeakStream(Arc::downgrade(&self.state))
    }

    /// Who does not keep pace and could be cut, so that memory comes free. Nobody while the body is
    /// on its way into the store or stands there: it is held all the same.
    pub fn laggards(&self) -> Vec<Laggard> {
        let now = Instant::now();
        let state = self.state();
        if !(state.windowed || state.end.is_some())
            || state.deposit.as_ref().is_some_and(|deposit| deposit.is_kept())
        {
            return Vec::new();
        }
        let behind = |place: &Place| place.at < state.len && !place.keeps_pace(now);
        let readers = state.readers.iter().filter(|(_, place)| behind(place));
        readers
            .map(|(id, place)| Laggard {
                held: state.len - place.at.max(state.held_from()),
                stream: self.clone(),
                reader: *id,
            })
            .collect()
    }
}
