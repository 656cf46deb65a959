//! Orders that any program publishes reach every node, and one of them puts them into the log: the
//! member with the lowest life at once, the others when the log does not show it in time. A message
//! and its record may arrive in either order.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::limits;
use crate::entry::order::Order;

/// What a node owes for messages that it has heard.
#[derive(Clone, Debug, Default)]
pub struct Obligations {
    owed: VecDeque<Due>,
    /// Records that came before their message, with the time until which they count.
    ahead: HashMap<String, (u32, u64)>,
    /// Messages that this node put into the log itself, and when the last was.
    given: HashMap<String, u64>,
    /// It put more there than it can remember: until then a record pays for no message to come.
    blind_until: u64,
}

/// One message that somebody must put into the log.
#[derive(Clone, Debug)]
pub struct Due {
    /// The message's digest.
    pub event: String,
    /// What it names.
    pub order: Arc<Order>,
    /// From when on this node does it itself, in milliseconds of its steady clock.
    pub at_ms: u64,
}

impl Obligations {
    /// A message was heard; somebody else should see to it until `at_ms`. Beyond the bound the
    /// oldest is given back: it is due now.
    pub fn hear(&mut self, due: Due, now_ms: u64) -> Option<Due> {
        if let Some((count, until)) = self.ahead.get_mut(&due.event) {
            let counts = *count > 0 && *until >= now_ms;
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.ahead.remove(&due.event);
            }
            if counts {
                return None;
            }
        }
        self.owed.push_back(due);
        let over = self.owed.len() > limits::EVENTS_OWED_MAX;
        let oldest = over.then(|| self.owed.pop_front()).flatten();
        self.note(oldest.iter(), now_ms);
        oldest
    }

    /// This node puts a message with this digest into the log at once.
    pub fn give(&mut self, event: &str, now_ms: u64) {
        let due = Due { event: event.to_owned(), order: Arc::default(), at_ms: now_ms };
        self.note(std::iter::once(&due), now_ms);
    }

    /// This node puts these into the log itself.
    fn note<'a>(&mut self, given: impl Iterator<Item = &'a Due>, now_ms: u64) {
        for due in given {
            self.given.insert(due.event.clone(), now_ms);
        }
        if self.given.len() > limits::EVENTS_OWED_MAX {
            let kept = limits::EVENTS_GIVEN_FOR.as_millis();
            self.given.retain(|_, at| at.saturating_add(kept) > now_ms);
        }
        if self.given.len() > limits::EVENTS_OWED_MAX {
            self.given.clear();
            self.blind_until = now_ms.saturating_add(limits::EVENTS_GIVEN_FOR.as_millis());
        }
    }

    /// The log shows an order made from a message with this digest; it counts for one message,
    /// heard already or to be heard until `until_ms`. Of what this node has put there too it counts
    /// for none to come: it may be the second record of one message, and to order twice costs less
    /// than not to order.
    pub fn see(&mut self, event: &str, until_ms: u64) {
        if let Some(at) = self.owed.iter().position(|due| due.event == event) {
            self.owed.remove(at);
            return;
        }
        if self.given.contains_key(event) || until_ms < self.blind_until {
            return;
        }
        if self.ahead.len() >= limits::EVENTS_OWED_MAX {
            self.ahead.clear();
        }
        let (count, until) = self.ahead.entry(event.to_owned()).or_default();
        *count += 1;
        *until = until_ms;
    }

    /// Messages that nobody has put into the log in time.
    pub fn due(&mut self, now_ms: u64) -> Vec<Due> {
        let (due, owed) = self.owed.drain(..).partition(|due| due.at_ms <= now_ms);
        self.owed = owed;
        self.ahead.retain(|_, (_, until)| *until >= now_ms);
        let due = Vec::from_iter::<VecDeque<Due>>(due);
        self.note(due.iter(), now_ms);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(event: &str, at_ms: u64) -> Due {
        Due { event: event.into(), order: Arc::default(), at_ms }
    }

    #[test]
    fn a_record_pays_for_one_message_whichever_comes_first() {
        let mut owes = Obligations::default();
        owes.hear(due("a", 10), 0);
        owes.hear(due("a", 10), 0);
        owes.see("a", 10);
        assert_eq!(owes.due(10).len(), 1, "two messages, one record");
        owes.see("b", 30);
        owes.hear(due("b", 30), 20);
        assert!(owes.due(99).is_empty());
        owes.hear(due("b", 40), 20);
        assert_eq!(owes.due(40).len(), 1, "the record was spent");
    }

    #[test]
    fn what_this_node_put_into_the_log_pays_for_no_other_message() {
        let mut owes = Obligations::default();
        owes.hear(due("a", 0), 0);
        assert_eq!(owes.due(0).len(), 1);
        // Its own record, and that of another node that could not wait.
        owes.see("a", 10);
        owes.see("a", 10);
        owes.hear(due("a", 5), 2);
        assert_eq!(owes.due(5).len(), 1, "a second message with the same words");
    }

    #[test]
    fn a_record_of_long_ago_pays_for_nothing() {
        let mut owes = Obligations::default();
        owes.see("a", 10);
        owes.hear(due("a", 50), 20);
        assert_eq!(owes.due(50).len(), 1);
    }

    #[test]
    fn nobody_is_asked_before_the_time() {
        let mut owes = Obligations::default();
        owes.hear(due("a", 50), 0);
        assert!(owes.due(49).is_empty());
        assert_eq!(owes.due(50)[0].event, "a");
        assert!(owes.due(99).is_empty());
    }

    #[test]
    fn beyond_the_bound_the_oldest_is_due_at_once() {
        let mut owes = Obligations::default();
        for i in 0..limits::EVENTS_OWED_MAX {
            assert!(owes.hear(due(&i.to_string(), 50), 0).is_none());
        }
        assert_eq!(owes.hear(due("last", 50), 0).map(|due| due.event), Some("0".to_owned()));
    }
}
