//! Shards: that the key decides them. The entry of a key lies in one slot; if two requests with one
//! key named two, one of them would never find it.

use super::super::compile::Made;
use super::super::diagnostic::{Code, Findings};
use super::super::expr::{Expr, Step};
use super::super::extract::ValueOf;
use super::super::rulebook::Route;

pub(super) fn check(routes: &[Made], found: &mut Findings) {
    for made in routes {
        let (Some(shard), Some(spot)) = (&made.route.shard, made.shard_spot) else { continue };
        let Some(value) = shard.values().find(|value| !is_decided(value, &made.route)) else {
            continue;
        };
        let message = format!("the key does not decide `{{{}}}`", value.written);
        let help = match &made.route.key {
            Some(_) => {
                "begin each value as the key has it: key = \"{id}\", shard = \"{id|before(-)}\""
            }
            None => "without a key, take parts of the path or parameters",
        };
        found
            .error(Code::ShardNotInKey, spot, message)
            .label("one key would lie in several slots")
            .help(help);
    }
}

/// Whether requests with one key have one such value: it goes on where a value of the key ends, and
/// reads nothing else on the way.
fn is_decided(value: &Expr, route: &Route) -> bool {
    let Some(key) = &route.key else {
        return value.sources().all(|of| of.is_of_target() && *of != ValueOf::Host);
    };
    key.values().filter(|held| held.of == value.of).any(|held| {
        let rest = value.steps.strip_prefix(&*held.steps);
        rest.is_some_and(|rest| !rest.iter().any(|step| matches!(step, Step::Or(_))))
    })
}
