//! What happens to the shared level, in the words of the event log.

use crate::base::clock::Timestamp;
use crate::store::redis::fleet::News;
use crate::telemetry::Telemetry;
use crate::telemetry::event::Event;

/// Writes a line about the shared level.
pub fn tell(telemetry: &Telemetry, now: Timestamp, news: &News) {
    let (what, detail) = told(news);
    telemetry.tell(now, &Event::Redis { what, detail: &detail });
}

/// A word and a detail for the log.
fn told(news: &News) -> (&'static str, String) {
    use crate::store::redis::Told;
    match news {
        News::Servers(Told::Down { server, why }) => ("down", format!("{server}: {why}")),
        News::Servers(Told::Up { server, after }) => ("up", format!("{server} after {after}")),
        News::Servers(Told::Topology { masters, replicas }) => {
            let list = |all: &[crate::store::redis::config::Address]| {
                all.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
            };
            ("topology", format!("masters {} replicas {}", list(masters), list(replicas)))
        }
        News::Servers(Told::Unfound { why }) => ("unfound", why.clone()),
        News::Joined { turn, repeated } => ("joined", format!("turn {turn} repeated={repeated}")),
        News::Adopted { turn } => ("adopted", format!("turn {turn}")),
        News::Gap { why } => ("gap", (*why).to_owned()),
        News::Untrusted => ("untrusted", "nothing was heard for lag_max".to_owned()),
        News::Floor { why } => ("floor", (*why).to_owned()),
        News::Replayed { orders } => ("replayed", format!("orders={orders}")),
        News::Waiting { why } => ("waiting", format!("orders wait: {why}")),
        News::BadFrame { why, key } => ("bad-frame", format!("{why} key={key}")),
        News::BadEvent { why } => ("bad-event", why.clone()),
        News::Refused { why } => ("refused", why.clone()),
        News::Swept { seen, gone, ms } => ("swept", format!("seen={seen} gone={gone} ms={ms}")),
        News::Journal { why } => ("journal", why.clone()),
    }
}
