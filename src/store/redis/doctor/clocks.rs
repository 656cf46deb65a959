//! Clocks: of each server against this machine's, and of the servers against each other.

use super::{Finding, Severity, finding, warning, well};
use crate::base::limits::{CLOCKS_APART, CLOCKS_ASTRAY};
use crate::base::units::Span;
use crate::store::redis::config::Address;
use crate::store::redis::fault::TierFault;

const REMEDY: &str = "let all machines follow NTP (chrony, systemd-timesyncd): ages and the times \
                      that purges are remembered for are reckoned by these clocks";

/// How far a server's clock is ahead of ours, in milliseconds, and how well that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Skew {
    /// Less than nothing where it is behind.
    pub(super) ahead_ms: i64,
    /// Half the way there and back.
    pub(super) give_or_take_ms: u64,
}

/// One server against this machine.
pub(super) fn of_server(skew: Skew) -> Finding {
    let Skew { ahead_ms, give_or_take_ms } = skew;
    let apart = ahead_ms.unsigned_abs();
    let (span, slack) = (Span::from_millis(apart), Span::from_millis(give_or_take_ms));
    let stands = if ahead_ms < 0 { "behind" } else { "ahead of" };
    let found = format!("{span} {stands} this machine, give or take {slack}");
    weighed("clock", found, apart.saturating_sub(give_or_take_ms))
}

/// The server does not tell its time.
pub(super) fn unread(fault: &TierFault) -> Finding {
    let remedy = "allow TIME to this user";
    warning("clock", format!("TIME could not be read: {fault}"), remedy)
}

/// All servers against each other; nothing where there are not two.
pub(super) fn judge(skews: &[(Address, Skew)]) -> Option<Finding> {
    let first = skews.iter().min_by_key(|(_, skew)| skew.ahead_ms)?;
    let last = skews.iter().max_by_key(|(_, skew)| skew.ahead_ms)?;
    if skews.len() < 2 {
        return None;
    }
    let apart = last.1.ahead_ms.abs_diff(first.1.ahead_ms);
    let slack = first.1.give_or_take_ms.saturating_add(last.1.give_or_take_ms);
    let found = format!(
        "at most {} apart, {} and {}, give or take {}",
        Span::from_millis(apart),
        first.0,
        last.0,
        Span::from_millis(slack)
    );
    Some(weighed("clocks", found, apart.saturating_sub(slack)))
}

/// `apart_ms` is what is certain of the distance.
fn weighed(what: &'static str, found: String, apart_ms: u64) -> Finding {
    let apart = Span::from_millis(apart_ms);
    if apart > CLOCKS_ASTRAY {
        finding(Severity::Problem, what, found, Some(REMEDY.to_owned()))
    } else if apart > CLOCKS_APART {
        warning(what, found, REMEDY)
    } else {
        well(what, found)
    }
}
