//! The last happenings at hand, and who follows them as they come. What requests alone make happen
//! is looked at only while somebody wants it: a hit reads one number, and that is all it pays.
//! Nobody is waited for: who reads too slowly loses lines, and is told how many.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::base::clock::Timestamp;
use crate::base::limits;
use crate::telemetry::event::{Event, WORDS};

/// One happening.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its word.
    pub word: &'static str,
    /// The key that it is about, or selectors.
    pub subject: String,
    /// All of it, as JSON.
    pub text: String,
}

impl Line {
    const fn bytes(&self) -> usize {
        self.subject.len() + self.text.len()
    }
}

/// What somebody wants to see.
pub struct Wanted {
    /// Words of [`WORDS`]; all where there are none.
    pub words: Vec<&'static str>,
    /// What lines must be like, beside that.
    pub fits: Box<dyn Fn(&Line) -> bool + Send + Sync>,
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wanted").field("words", &self.words).finish_non_exhaustive()
    }
}

impl Wanted {
    fn has(&self, line: &Line) -> bool {
        (self.words.is_empty() || self.words.contains(&line.word)) && (self.fits)(line)
    }

    /// A bit for each word, in their order.
    fn bits(&self) -> u32 {
        let wants = |word: &&str| self.words.is_empty() || self.words.contains(word);
        let bits = WORDS.iter().enumerate().filter(|(_, word)| wants(word));
        bits.fold(0, |all, (at, _)| all | 1 << at)
    }
}

/// The last happenings, and who follows.
#[derive(Debug, Default)]
pub struct Recent {
    /// The words that somebody follows, a bit for each.
    followed: AtomicU32,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last: VecDeque<Line>,
    /// Bytes of their texts.
    bytes: usize,
    queues: Vec<Arc<Queue>>,
}

#[derive(Debug)]
struct Queue {
    wanted: Wanted,
    waiting: Mutex<Waiting>,
}

/// Lines on their way to one who follows.
#[derive(Debug, Default)]
struct Waiting {
    text: String,
    /// Lines for which there was no room behind that text.
    lost: u64,
    reader: Option<Waker>,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &Line) {
        let mut waiting = self.waiting();
        // What was lost is told before anything that comes after it.
        if waiting.lost > 0
            || waiting.text.len() + line.text.len() > limits::EVENTS_WAITING_BYTES_MAX
        {
            waiting.lost += 1;
        } else {
            waiting.text.push_str(&line.text);
            waiting.text.push('\n');
        }
        if let Some(reader) = waiting.reader.take() {
            reader.wake();
        }
    }
}

impl Recent {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a happening, if it is kept or somebody wants it.
    pub(super) fn note(&self, now: Timestamp, event: &Event<'_>) {
        let is_kept = !event.is_traffic();
        let is_followed = self.followed.load(Ordering::Relaxed) >> event.index() & 1 == 1;
        if !is_kept && !is_followed {
            return;
        }
        let line = Line { word: event.word(), subject: event.subject(), text: event.json(now) };
        let mut inner = self.inner();
        inner.queues.iter().filter(|queue| queue.wanted.has(&line)).for_each(|q| q.push(&line));
        if is_kept {
            inner.keep(line);
        }
    }

    /// The last `most` happenings that somebody wants, oldest first, a line each.
    pub fn last(&self, wanted: &Wanted, most: usize) -> String {
        self.inner().told(wanted, most)
    }

    /// The same, and then all that comes; nothing where too many follow already.
    pub fn follow(self: &Arc<Self>, wanted: Wanted, most: usize) -> Option<Follower> {
        let mut inner = self.inner();
        if inner.queues.len() >= limits::EVENT_FOLLOWERS_MAX {
            return None;
        }
        let waiting = Waiting { text: inner.told(&wanted, most), ..Waiting::default() };
        let queue = Arc::new(Queue { wanted, waiting: Mutex::new(waiting) });
        inner.queues.push(Arc::clone(&queue));
        self.followed.store(inner.bits(), Ordering::Relaxed);
        Some(Follower { recent: Arc::clone(self), queue })
    }
}

impl Inner {
    fn keep(&mut self, line: Line) {
        self.bytes += line.bytes();
        self.last.push_back(line);
        while self.last.len() > limits::EVENTS_KEPT_MAX
            || self.bytes > limits::EVENTS_KEPT_BYTES_MAX
        {
            let Some(gone) = self.last.pop_front() else { return };
            self.bytes -= gone.bytes();
        }
    }

    fn told(&self, wanted: &Wanted, most: usize) -> String {
        let mut those: Vec<&Line> =
            self.last.iter().rev().filter(|line| wanted.has(line)).take(most).collect();
        those.reverse();
        those.iter().fold(String::new(), |all, line| all + &line.text + "\n")
    }

    fn bits(&self) -> u32 {
        self.queues.iter().fold(0, |all, queue| all | queue.wanted.bits())
    }
}

/// Somebody who follows, until it is dropped.
#[derive(Debug)]
pub struct Follower {
    recent: Arc<Recent>,
    queue: Arc<Queue>,
}

impl Follower {
    /// The next lines, each with its end; waits while there are none.
    pub fn poll_lines(&self, cx: &mut Context<'_>) -> Poll<String> {
        let mut waiting = self.queue.waiting();
        if waiting.text.is_empty() && waiting.lost == 0 {
            waiting.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let mut text = std::mem::take(&mut waiting.text);
        let lost = std::mem::take(&mut waiting.lost);
        if lost > 0 {
            text.extend([serde_json::json!({ "lost": lost }).to_string().as_str(), "\n"]);
        }
        Poll::Ready(text)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut inner = self.recent.inner();
        inner.queues.retain(|queue| !Arc::ptr_eq(queue, &self.queue));
        self.recent.followed.store(inner.bits(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(0);
    const FAULT: Event<'static> = Event::Fault { code: "c", detail: "d" };

    fn hit(key: &str) -> Event<'_> {
        Event::Hit { key, rule: None, ttl: 1 }
    }

    fn all() -> Wanted {
        Wanted { words: Vec::new(), fits: Box::new(|_| true) }
    }

    fn of(word: &'static str) -> Wanted {
        Wanted { words: vec![word], ..all() }
    }

    fn next(follower: &Follower) -> Option<String> {
        match follower.poll_lines(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(text) => Some(text),
            Poll::Pending => None,
        }
    }

    #[test]
    fn what_requests_do_is_seen_by_who_follows_and_kept_by_nobody() {
        let recent = Arc::new(Recent::default());
        recent.note(NOW, &hit("before"));
        recent.note(NOW, &FAULT);
        let one = recent.follow(all(), 10).unwrap();
        let hits = Wanted { words: vec!["HIT"], fits: Box::new(|line| line.subject == "a") };
        let hits = recent.follow(hits, 10).unwrap();
        recent.note(NOW, &hit("a"));
        recent.note(NOW, &hit("b"));
        let seen = next(&one).unwrap();
        assert_eq!(seen.lines().count(), 3, "{seen}");
        assert!(seen.contains("FAULT") && !seen.contains("before"), "{seen}");
        let seen = next(&hits).unwrap();
        assert!(seen.lines().count() == 1 && seen.contains("\"a\""), "{seen}");
        assert_eq!(next(&hits), None);
        drop((one, hits));
        assert_eq!(recent.followed.load(Ordering::Relaxed), 0);
        assert_eq!(recent.last(&all(), 10).lines().count(), 1);
        assert_eq!(recent.last(&of("HIT"), 10), "");
    }

    #[test]
    fn nobody_pays_for_words_that_nobody_follows() {
        let recent = Arc::new(Recent::default());
        let purges = recent.follow(of("PURGE"), 0).unwrap();
        assert_eq!(recent.followed.load(Ordering::Relaxed).count_ones(), 1);
        recent.note(NOW, &hit("a"));
        assert_eq!(next(&purges), None);
    }

    #[test]
    fn who_is_slow_is_told_what_was_lost() {
        let recent = Arc::new(Recent::default());
        let slow = recent.follow(of("HIT"), 0).unwrap();
        let long = "k".repeat(limits::EVENT_CHARS_MAX);
        let many = 2 * limits::EVENTS_WAITING_BYTES_MAX / long.len();
        (0..many).for_each(|_| recent.note(NOW, &hit(&long)));
        let seen = next(&slow).unwrap();
        assert!(seen.len() < limits::EVENTS_WAITING_BYTES_MAX + 64);
        let lost = many - (seen.lines().count() - 1);
        assert!(lost > 0);
        assert_eq!(seen.lines().last(), Some(&*format!("{{\"lost\":{lost}}}")));
        recent.note(NOW, &hit("after"));
        assert!(next(&slow).is_some_and(|seen| seen.contains("after")));
    }

    #[test]
    fn all_of_it_is_bounded() {
        let recent = Arc::new(Recent::default());
        for _ in 0..2 * limits::EVENTS_KEPT_MAX {
            recent.note(NOW, &FAULT);
        }
        let kept = recent.last(&all(), usize::MAX);
        assert_eq!(kept.lines().count(), limits::EVENTS_KEPT_MAX);
        assert_eq!(recent.last(&all(), 3).lines().count(), 3);
        let long = "d".repeat(limits::EVENT_CHARS_MAX);
        for _ in 0..2 * limits::EVENTS_KEPT_BYTES_MAX / limits::EVENT_CHARS_MAX {
            recent.note(NOW, &Event::Fault { code: "c", detail: &long });
        }
        let inner = recent.inner();
        let bytes = inner.last.iter().map(|line| line.text.len()).sum::<usize>();
        assert!(bytes == inner.bytes && bytes <= limits::EVENTS_KEPT_BYTES_MAX);
        drop(inner);
        let those: Vec<_> =
            (0..limits::EVENT_FOLLOWERS_MAX).map(|_| recent.follow(all(), 0).unwrap()).collect();
        assert!(recent.follow(all(), 0).is_none());
        drop(those);
        assert!(recent.follow(all(), 0).is_some());
    }
}
