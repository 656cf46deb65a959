//! Orders that were acknowledged while Redis was away, on disk: so that they outlive the process.
//! One line each, with a checksum; written and synced before the acknowledgement, emptied when all
//! have their numbers.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Effects, Fleet, News};
use crate::base::limits;
use crate::base::tasks;
use crate::entry::order::{Order, Selector};
use crate::store::coherence::{decode_order, encode_order};

/// The file in its folder.
pub(in crate::store::redis) const JOURNAL_FILE: &str = "orders.journal";

/// The file that says by its lock whose folder it is.
const LOCK_FILE: &str = "orders.lock";

/// The file, and up to which own order it holds what waits.
#[derive(Clone, Debug)]
pub(super) struct Journal {
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Own orders up to this count are in it or numbered.
    holds: u64,
    bytes: u64,
    /// Locked as long as it is open; the system unlocks it when the process ends in any way.
    held: Option<File>,
}

impl Journal {
    /// In a folder that is there or can be made.
    pub(super) fn at(folder: &Path) -> Self {
        Self { path: folder.join(JOURNAL_FILE), state: Arc::default() }
    }

    /// Makes the folder this node's own. Whether it is: not, where another node has it.
    fn hold(&self) -> io::Result<bool> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let path = self.path.with_file_name(LOCK_FILE);
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {
                self.state().held = Some(file);
                Ok(true)
            }
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds orders, and does not come back before they are on disk.
    fn append(&self, orders: &[(u64, Arc<Order>)]) -> io::Result<()> {
        let mut state = self.state();
        let mut text = Vec::new();
        let mut last = state.holds;
        for (count, order) in orders.iter().filter(|(count, _)| *count > state.holds) {
            line(order, &mut text);
            last = last.max(*count);
        }
        if text.is_empty() {
            return Ok(());
        }
        if state.bytes + text.len() as u64 > limits::JOURNAL_BYTES_MAX {
            // What it cannot hold in full it holds as one order on everything.
            text.clear();
            line(&Order::of([Selector::All]), &mut text);
            self.replace(&text)?;
            state.bytes = text.len() as u64;
            state.holds = last;
            return Ok(());
        }
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let is_new = !self.path.exists();
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.write_all(&text)?;
        file.sync_data()?;
        if is_new {
            self.sync_folder()?;
        }
        state.bytes += text.len() as u64;
        state.holds = last;
        Ok(())
    }

    /// All that it holds. A line that is damaged could have named anything.
    fn read(&self) -> io::Result<Vec<Order>> {
        let mut text = Vec::new();
        match File::open(&self.path) {
            Ok(file) => {
                let most = limits::JOURNAL_BYTES_MAX + 1_024;
                file.take(most).read_to_end(&mut text)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        }
        self.state().bytes = text.len() as u64;
        let mut orders = Vec::new();
        let mut rest = text.as_slice();
        while !rest.is_empty() {
            let Some((order, after)) = unline(rest) else {
                // The last line may have been cut off before it was acknowledged; a damaged one
                // before it may have been.
                orders.push(Order::of([Selector::All]));
                break;
            };
            orders.push(order);
            rest = after;
        }
        Ok(orders)
    }

    /// Empties it if all its orders have numbers: those up to the count `numbered`.
    fn clear(&self, numbered: u64) -> io::Result<()> {
        let mut state = self.state();
        if state.bytes == 0 || state.holds > numbered {
            return Ok(());
        }
        self.replace(b"")?;
        state.bytes = 0;
        Ok(())
    }

    fn replace(&self, text: &[u8]) -> io::Result<()> {
        let fresh = self.path.with_extension("new");
        let mut file = File::create(&fresh)?;
        file.write_all(text)?;
        file.sync_data()?;
        fs::rename(&fresh, &self.path)?;
        self.sync_folder()
    }

    fn sync_folder(&self) -> io::Result<()> {
        match self.path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

/// `length checksum order`, ended by a line feed.
fn line(order: &Order, text: &mut Vec<u8>) {
    let bytes = encode_order(order);
    text.extend_from_slice(format!("{} {} ", bytes.len(), checksum(&bytes)).as_bytes());
    text.extend_from_slice(&bytes);
    text.push(b'\n');
}

fn unline(text: &[u8]) -> Option<(Order, &[u8])> {
    let mut parts = text.splitn(3, |byte| *byte == b' ');
    let len: usize = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    let sum = parts.next()?;
    let (bytes, rest) = parts.next()?.split_at_checked(len)?;
    let rest = rest.strip_prefix(b"\n")?;
    if checksum(bytes).as_bytes() != sum {
        return None;
    }
    Some((decode_order(bytes)?, rest))
}

fn checksum(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().get(..16).unwrap_or_default().to_owned()
}

impl Fleet {
    /// Makes the journal's folder this node's own, until it ends. A folder that cannot be used is
    /// told, and keeps no node from serving.
    ///
    /// # Errors
    /// Where another node has it: both would take the other's orders for their own, and throw them
    /// away when their own have their numbers.
    pub fn hold_journal(&self, effects: &dyn Effects) -> io::Result<()> {
        let Some(journal) = &self.journal else { return Ok(()) };
        match journal.hold() {
            Ok(true) => Ok(()),
            Ok(false) => {
                let folder = journal.path.parent().unwrap_or(&journal.path).display();
                let problem =
                    format!("another node keeps its own in {folder}; each needs a folder");
                Err(io::Error::other(problem))
            }
            Err(error) => {
                self.tell_journal(&error, effects);
                Ok(())
            }
        }
    }

    /// Every order that is not kept brings the same trouble, so it is told now and then.
    fn tell_journal(&self, error: &io::Error, effects: &dyn Effects) {
        self.stats.tell_now_and_then("journal", self.steady_ms(), || {
            let folder = self.config.journal.as_deref().unwrap_or(Path::new("")).display();
            effects.tell(&News::Journal { why: format!("{folder}: {error}") });
        });
    }

    /// Keeps what waits, so that it outlives the process. Whether it does.
    pub(super) async fn keep_in_journal(&self) -> bool {
        let Some(journal) = self.journal.clone() else { return false };
        // Many may wait, and each that is given asks for this.
        let held = journal.state().holds;
        let waiting = self.member().waiting_after(held);
        match tasks::aside(move || journal.append(&waiting)).await {
            Some(Ok(())) => true,
            Some(Err(error)) => {
                if let Some(effects) = self.effects.get().and_then(Weak::upgrade) {
                    self.tell_journal(&error, effects.as_ref());
                }
                false
            }
            None => false,
        }
    }

    /// Gives the orders of an earlier life again.
    pub(super) async fn replay_journal(&self, effects: &dyn Effects) {
        let Some(journal) = self.journal.clone() else { return };
        match tasks::aside(move || journal.read()).await {
            Some(Ok(orders)) => {
                let orders = orders.into_iter().map(Arc::new).collect();
                let Some((first, last)) = self.give_all(orders) else { return };
                // Those that came before are in no journal yet, though their counts are lower.
                let before = self.member().waiting_after(0);
                let before = before.into_iter().filter(|(count, _)| *count < first).collect();
                self.holds_replayed(before, last, effects).await;
            }
            Some(Err(error)) => {
                self.tell_journal(&error, effects);
                // Whatever it held, it counts.
                self.order_everything("the journal cannot be read", effects);
            }
            None => {}
        }
    }

    /// The journal has all up to `last`, once it has also those that came before its own.
    async fn holds_replayed(
        &self,
        before: Vec<(u64, Arc<Order>)>,
        last: u64,
        effects: &dyn Effects,
    ) {
        let Some(journal) = self.journal.clone() else { return };
        let holds = move || {
            journal.append(&before)?;
            let mut state = journal.state();
            state.holds = state.holds.max(last);
            Ok(())
        };
        if let Some(Err(error)) = tasks::aside(holds).await {
            // It goes on to take what is there for missing, and keeps it once more.
            self.tell_journal(&error, effects);
        }
    }

    /// All own orders have their numbers.
    pub(super) async fn forget_journal(&self, effects: &dyn Effects) {
        let Some(journal) = self.journal.clone() else { return };
        if journal.state().bytes == 0 {
            return;
        }
        let numbered = self.member().numbered();
        let cleared = tasks::aside(move || journal.clear(numbered)).await;
        if let Some(Err(error)) = cleared {
            self.tell_journal(&error, effects);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("cistern-journal-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    fn order(text: &str) -> Arc<Order> {
        Arc::new(Order::of([Selector::parse(text).unwrap()]))
    }

    #[test]
    fn what_was_kept_is_read_again_and_once() {
        let folder = folder("kept");
        let journal = Journal::at(&folder);
        assert!(journal.read().unwrap().is_empty(), "none was there");
        journal.append(&[(1, order("key:a")), (2, order("tag:b"))]).unwrap();
        journal.append(&[(1, order("key:a")), (2, order("tag:b")), (3, order("all"))]).unwrap();
        let again = Journal::at(&folder);
        let texts: Vec<_> =
            again.read().unwrap().iter().map(|one| one.selectors[0].to_string()).collect();
        assert_eq!(texts, ["key:a", "tag:b", "all"]);
        journal.clear(2).unwrap();
        assert_eq!(Journal::at(&folder).read().unwrap().len(), 3, "one still waits");
        journal.clear(3).unwrap();
        assert!(Journal::at(&folder).read().unwrap().is_empty());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_folder_has_one_node() {
        let folder = folder("held");
        let (one, other) = (Journal::at(&folder), Journal::at(&folder));
        assert!(one.hold().unwrap());
        assert!(!other.hold().unwrap());
        one.append(&[(1, order("key:a"))]).unwrap();
        one.clear(1).unwrap();
        assert!(!other.hold().unwrap(), "writing to it changes nothing");
        drop(one);
        assert!(other.hold().unwrap());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn damage_counts_as_an_order_on_everything() {
        let folder = folder("damaged");
        let journal = Journal::at(&folder);
        journal.append(&[(1, order("key:a")), (2, order("key:b"))]).unwrap();
        let text = fs::read(&journal.path).unwrap();
        for (at, _) in text.iter().enumerate() {
            let mut damaged = text.clone();
            damaged[at] ^= 1;
            fs::write(&journal.path, &damaged).unwrap();
            let orders = Journal::at(&folder).read().unwrap();
            assert!(orders.iter().any(|one| one.selectors == [Selector::All]), "{at}");
        }
        for end in 1..text.len() {
            fs::write(&journal.path, &text[..end]).unwrap();
            let orders = Journal::at(&folder).read().unwrap();
            let all = orders.iter().any(|one| one.selectors == [Selector::All]);
            assert!(all || orders.len() == 1, "{end}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_too_much_becomes_one_order_on_everything() {
        let folder = folder("full");
        let journal = Journal::at(&folder);
        journal.append(&[(1, order("key:a"))]).unwrap();
        journal.state().bytes = limits::JOURNAL_BYTES_MAX;
        journal.append(&[(2, order("key:b"))]).unwrap();
        let orders = Journal::at(&folder).read().unwrap();
        assert_eq!(orders.len(), 1);
        assert_eq!(orders[0].selectors, [Selector::All]);
        fs::remove_dir_all(&folder).unwrap();
    }
}
