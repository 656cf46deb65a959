//! `cistern bypass`: the emergency switch of a node.

use serde_json::{Value, json};

use crate::base::names;
use crate::base::units::Span;
use crate::cli::Exit;
use crate::cli::args::{Bypass, Turn};
use crate::cli::client;

/// Turns it, or shows how it stands.
pub(super) fn bypass(asked: &Bypass) -> Exit {
    let path = format!("{}/bypass", names::ADMIN_ROOT);
    let answer = match asked.turn {
        None => client::call(&asked.node, "GET", &path, None),
        Some(turn) => {
            let mut body = json!({ "on": turn == Turn::On });
            if let Some(span) = &asked.span {
                body["for"] = span.as_str().into();
            }
            client::call(&asked.node, "POST", &path, Some(&body))
        }
    };
    match answer {
        Ok((200, told)) => {
            if asked.node.json {
                println!("{told}");
            } else {
                println!("{}", line(&told));
            }
            Exit::Done
        }
        Ok((status, problem)) => client::refused(status, &problem),
        Err(exit) => exit,
    }
}

fn line(told: &Value) -> String {
    if told["on"] != true {
        return "off".to_owned();
    }
    let left = Span::from_secs(told["left"].as_u64().unwrap_or_default());
    format!("on for {left} more, by {}", told["by"].as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_it_stands() {
        assert_eq!(line(&json!({ "on": false })), "off");
        let on = json!({ "on": true, "left": 600, "by": "ann" });
        assert_eq!(line(&on), "on for 10m more, by ann");
    }
}
