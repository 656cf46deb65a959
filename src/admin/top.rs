//! The call that tells the keys asked for most, missed most, or dearest to the origin.

use axum::extract::{Json, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::admin::entries::{Pairs, Parameters, Refused, wrong};
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
        json!({
            "key": redacted(one.key.text()),
            "site": one.key.site(),
            name: unit(one.count),
            "at_most_over": unit(one.over),
        })
    };
    Ok(json!({
        "by": by.as_str(),
        "within": told.within.as_secs(),
        "sampled": by.weight(),
        "not_counted": told.missing,
        "keys": told.keys.iter().map(row).collect::<Vec<_>>(),
    }))
}
