//! `cistern top`: the hottest keys of a node, shown anew each second until who looks has enough.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use serde_json::Value;

use crate::base::names;
use crate::cli::Exit;
use crate::cli::args::{Top, TopBy};
use crate::cli::client::{self, query};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// Moves to the upper left and clears the screen (ECMA-48, CUP and ED).
const CLEAR: &str = "\x1b[H\x1b[2J";

/// `cistern top`.
pub(super) fn top(asked: &Top) -> Exit {
    let by = match asked.by {
        TopBy::Asked => "asked",
        TopBy::Missed => "missed",
        TopBy::Expensive => "expensive",
    };
    let limit = asked.limit.to_string();
    let pairs = query(&[("by", by), ("limit", &limit)]);
    let path = format!("{}/top{pairs}", names::ADMIN_ROOT);
    let (quit, pause) = channel();
    let quit = listen(quit);
    let clears = !asked.once && !asked.node.json && std::io::stdout().is_terminal();
    loop {
        let told = match client::call(&asked.node, "GET", &path, None) {
            Ok((200, told)) => told,
            Ok((status, problem)) => return client::refused(status, &problem),
            Err(exit) => return exit,
        };
        let text = if asked.node.json { format!("{told}\n") } else { table(&told) };
        let text = if clears { format!("{CLEAR}{text}\nq and Enter ends\n") } else { text };
        let mut stdout = std::io::stdout();
        // Nobody reads any more: that is an end as good as any.
        if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() || asked.once {
            return Exit::Done;
        }
        if is_over(&pause) {
            drop(quit);
            return Exit::Done;
        }
    }
}

/// Waits until the next look; whether there should be none.
fn is_over(pause: &Receiver<()>) -> bool {
    match pause.recv_timeout(EVERY) {
        Ok(()) => true,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
    }
}

/// Says when `q` is typed on a terminal. What comes back is kept for as long as others listen.
fn listen(quit: Sender<()>) -> Sender<()> {
    if std::io::stdin().is_terminal() {
        let quit = quit.clone();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if line.trim() == "q" {
                    // The other end is gone only when the verb has ended.
                    let _ = quit.send(());
                }
            }
        });
    }
    quit
}

fn table(told: &Value) -> String {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let expensive = told["by"] == "expensive";
    let (name, unit) = if expensive { ("origin_ms", "ms") } else { ("count", "") };
    let sampled = number(&told["sampled"]);
    let how = if sampled > 1 { format!(", one of {sampled} counted") } else { String::new() };
    let by = told["by"].as_str().unwrap_or_default();
    let within = number(&told["within"]);
    let head =
        format!("most {by}, last {within}s{how}\n\n{name:>12} {:>12}  key\n", "at most over");
    let row = |one: &Value| {
        let key = one["key"].as_str().unwrap_or_default();
        let (count, over) = (number(&one[name]), number(&one["at_most_over"]));
        let count = format!("{count}{unit}");
        format!("{count:>12} {over:>12}  {key}\n")
    };
    let rows: String = told["keys"].as_array().into_iter().flatten().map(row).collect();
    head + &rows
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_says_what_it_counted_and_how() {
        let told = json!({
            "by": "asked", "within": 75, "sampled": 64,
            "keys": [{ "key": "doc:1", "count": 640, "at_most_over": 0 }],
        });
        let text = table(&told);
        assert!(text.starts_with("most asked, last 75s, one of 64 counted\n"), "{text}");
        assert!(text.ends_with("         640            0  doc:1\n"), "{text}");
        let told = json!({
            "by": "expensive", "within": 1, "sampled": 1,
            "keys": [{ "key": "doc:1", "origin_ms": 9, "at_most_over": 2 }],
        });
        assert!(table(&told).contains("9ms            2  doc:1"), "{}", table(&told));
    }
}
