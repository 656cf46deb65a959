//! `cistern alerts`: what somebody should look at.

use serde_json::Value;

use crate::base::names;
use crate::cli::Exit;
use crate::cli::args::Node;
use crate::cli::client;

/// `cistern alerts`.
pub(super) fn alerts(node: &Node) -> Exit {
    match client::call(node, "GET", &format!("{}/alerts", names::ADMIN_ROOT), None) {
        Ok((200, told)) if node.json => {
            println!("{told}");
            Exit::Done
        }
        Ok((200, told)) => {
            print!("{}", text(&told));
            Exit::Done
        }
        Ok((status, problem)) => client::refused(status, &problem),
        Err(exit) => exit,
    }
}

/// The alerts that are raised, three lines each.
fn text(told: &Value) -> String {
    let all = told["alerts"].as_array().into_iter().flatten();
    let raised: Vec<String> = all.filter(|alert| alert["active"] == true).map(raised).collect();
    if raised.is_empty() { "no alerts\n".to_owned() } else { raised.concat() }
}

fn raised(alert: &Value) -> String {
    let word = |name: &str| alert[name].as_str().unwrap_or("-");
    format!(
        "{:9} {:16} {} ({}) for {}s\n          cause: {}\n          look closer: {}\n",
        word("severity"),
        word("alert"),
        word("value"),
        word("bound"),
        alert["for_seconds"].as_u64().unwrap_or_default(),
        word("cause"),
        word("command"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_raised_is_shown() {
        let quiet = json!({ "alert": "memory", "severity": "warning", "active": false });
        assert_eq!(text(&json!({ "alerts": [quiet] })), "no alerts\n");
        let raised = json!({
            "alert": "memory", "severity": "critical", "active": true, "for_seconds": 7,
            "value": "93 %", "bound": "above 90 %", "cause": "so", "command": "cistern stats",
        });
        let text = text(&json!({ "alerts": [quiet, raised] }));
        assert!(text.starts_with("critical  memory"), "{text}");
        assert!(text.contains("93 % (above 90 %) for 7s") && text.contains("cistern stats"));
    }
}
