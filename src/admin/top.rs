//! The call that tells the keys asked for most, missed most, or dearest to the origin.

use axum::extract::{Json, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::admin::entries::{Pairs, Parameters, Refused, wrong};
use crate::admin::openapi::{Told, count, list, object, perhaps, text, word};
use crate::base::limits;
use crate::engine::hot::{By, Hottest};
use crate::telemetry::access::redacted;

/// `GET top`.
pub(super) async fn top(State(admin): State<Admin>, pairs: Pairs) -> Response {
    told(&admin, pairs).map(Json).into_response()
}

fn told(admin: &Admin, pairs: Pairs) -> Result<Value, Refused> {
    let asked = Parameters::read(pairs, &["by", "limit"], &[])?;
    let word = asked.one("by").unwrap_or(By::Asked.as_str());
    let by = By::parse(word).ok_or_else(|| wrong("`by` is asked, missed or expensive"))?;
    let told = admin.engine.hot.top(by, asked.limit()?);
    // Microseconds are finer than anybody needs here.
    let unit = |count: u64| if by == By::Expensive { count / 1_000 } else { count };
    let name = if by == By::Expensive { "origin_ms" } else { "count" };
    let row = |one: &Hottest| {
        let mut row = json!({
            "key": redacted(one.key.text()),
            "site": one.key.site(),
            name: unit(one.count),
            "at_most_over": unit(one.over),
        });
        if let Some(tenant) = one.key.tenant() {
            row["tenant"] = tenant.into();
        }
        row
    };
    Ok(json!({
        "by": by.as_str(),
        "within": told.within.as_secs(),
        "sampled": by.weight(),
        "not_counted": told.missing,
        "keys": told.keys.iter().map(row).collect::<Vec<_>>(),
    }))
}

const ORDERS: [&str; 3] = ["asked", "missed", "expensive"];

/// What `GET top` tells of itself.
pub(super) fn told_top() -> Told {
    let row = object(
        "A key.",
        [
            ("key", text("The key, without values of parameters that usually hold secrets.")),
            ("site", text("Scheme and authority, where they count.")),
            ("at_most_over", count("How much too high the count may be.")),
        ],
    );
    let requests = count("How often; not there where the order is `expensive`.");
    let ms = count("Milliseconds of the origin; there where the order is `expensive`.");
    let tenant = text("The tenant whose it is, where it is one's.");
    let row = perhaps(row, [("count", requests), ("origin_ms", ms), ("tenant", tenant)]);
    let page = object(
        "The hottest keys.",
        [
            ("by", word("Their order.", &ORDERS)),
            ("within", count("Seconds that are looked back.")),
            ("sampled", count("One request of so many is counted.")),
            ("not_counted", count("Requests that could not be counted.")),
            ("keys", list("The keys, the hottest first.", row)),
        ],
    );
    Told::of("The keys that are asked for, missed or dearest most.")
        .parameter("by", word("What they are ordered by; `asked` unless said.", &ORDERS))
        .parameter("limit", limit())
        .judges()
        .answers("the hottest keys", page)
}

/// The shape of a number of rows.
pub(super) fn limit() -> Value {
    let about = format!("The most rows; {} unless said.", limits::LISTED_USUALLY);
    json!({ "type": "integer", "minimum": 1, "maximum": limits::LISTED_MAX, "description": about })
}
