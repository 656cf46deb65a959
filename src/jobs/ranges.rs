//! URLs from a template and ranges of numbers or days. They are made one at a time, so that a long
//! list takes no memory; the first place of the template moves slowest, and each range runs the way
//! it was written, so that what matters most can come first.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::base::limits;
use crate::policy::date;

/// A template with what its places run through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Texts and places in turn, beginning with a text.
    parts: Vec<Part>,
    total: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A place, and after how many URLs it moves on.
    Place(Range, u64),
}

/// What a place runs through, both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Range {
    from: i64,
    step: i64,
    count: u64,
    days: bool,
}

/// Why a template makes no URLs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// A brace without its other one, or none with a name in it.
    #[error("`template`: places stand in braces with a name, such as {{n}}; write %7B for a brace")]
    Braces,
    /// Nothing changes in it.
    #[error("`template` has no place such as {{n}}; name single URLs in `urls`")]
    NoPlace,
    /// A place that nothing is said of.
    #[error("`ranges` does not say what `{0}` runs through, such as {{\"from\": 1, \"to\": 500}}")]
    NoRange(String),
    /// The same place twice.
    #[error("`template` has the place `{0}` twice")]
    Twice(String),
    /// A range without a place.
    #[error("`ranges` names `{0}`, which is no place of the template")]
    NoSuchPlace(String),
    /// Neither numbers nor days.
    #[error(
        "`ranges.{0}` has `from` and `to`, both numbers or both days such as \"2026-01-31\", and \
         perhaps a `step` of at least 1"
    )]
    Range(String),
    /// More than a job fetches.
    #[error("the ranges make more than {} URLs; take them in parts", limits::WARM_MADE_MAX)]
    TooMany,
}

/// A range, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    from: Value,
    to: Value,
    #[serde(default)]
    step: Option<i64>,
}

impl Template {
    /// Reads a template and its ranges.
    ///
    /// # Errors
    /// When they do not fit together, or make too many URLs.
    pub fn read(text: &str, ranges: &Map<String, Value>) -> Result<Self, BadTemplate> {
        let mut parts = Vec::new();
        let mut named: Vec<&str> = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, behind) = behind.split_once('}').ok_or(BadTemplate::Braces)?;
            let is_name = !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if before.contains('}') || !is_name {
                return Err(BadTemplate::Braces);
            }
            if named.contains(&name) {
                return Err(BadTemplate::Twice(name.to_owned()));
            }
            named.push(name);
            let written = ranges.get(name).ok_or_else(|| BadTemplate::NoRange(name.to_owned()))?;
            let range = Range::read(written).ok_or_else(|| BadTemplate::Range(name.to_owned()))?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Place(range, 1));
            rest = behind;
        }
        if rest.contains('}') {
            return Err(BadTemplate::Braces);
        }
        if named.is_empty() {
            return Err(BadTemplate::NoPlace);
        }
        if let Some(other) = ranges.keys().find(|name| !named.contains(&name.as_str())) {
            return Err(BadTemplate::NoSuchPlace(other.clone()));
        }
        parts.push(Part::Text(rest.to_owned()));
        let mut total: u64 = 1;
        for part in parts.iter_mut().rev() {
            if let Part::Place(range, every) = part {
                *every = total;
                total = total.saturating_mul(range.count);
            }
        }
        let fits = total <= limits::WARM_MADE_MAX;
        fits.then_some(Self { parts, total }).ok_or(BadTemplate::TooMany)
    }

    /// How many URLs it makes.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The one of this number, from 0 on.
    pub fn url(&self, number: u64) -> Option<String> {
        if number >= self.total {
            return None;
        }
        let text = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Place(range, every) => range.value(number / every % range.count),
        };
        Some(self.parts.iter().map(text).collect())
    }
}

impl Range {
    fn read(written: &Value) -> Option<Self> {
        let Written { from, to, step } = serde_json::from_value(written.clone()).ok()?;
        let (from, to, days) = match (&from, &to) {
            (Value::Number(from), Value::Number(to)) => (from.as_i64()?, to.as_i64()?, false),
            (Value::String(from), Value::String(to)) => (date::day(from)?, date::day(to)?, true),
            _ => return None,
        };
        let step = step.unwrap_or(1);
        if step < 1 {
            return None;
        }
        let count = from.abs_diff(to) / step.unsigned_abs();
        let count = count.saturating_add(1);
        let step = if from <= to { step } else { -step };
        Some(Self { from, step, count, days })
    }

    fn value(&self, number: u64) -> String {
        let value = self.from.saturating_add(self.step.saturating_mul(number.cast_signed()));
        if self.days { date::day_text(value) } else { value.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str, ranges: &Value) -> Result<Template, BadTemplate> {
        Template::read(text, ranges.as_object().unwrap())
    }

    fn urls(text: &str, ranges: &Value) -> Vec<String> {
        let template = read(text, ranges).unwrap();
        (0..=template.total()).map_while(|number| template.url(number)).collect()
    }

    #[test]
    fn the_last_place_moves_fastest_and_ranges_run_as_written() {
        let ranges = json!({ "n": { "from": 2, "to": 1 }, "d": { "from": "2024-02-28",
            "to": "2024-03-01" } });
        let expected = ["2/2024-02-28", "2/2024-02-29", "2/2024-03-01", "1/2024-02-28"];
        assert_eq!(urls("h/{n}/{d}.x", &ranges)[..4], expected.map(|url| format!("h/{url}.x")));
        assert_eq!(urls("h/{n}/{d}", &ranges).len(), 6);
        let steps = json!({ "n": { "from": -1, "to": 8, "step": 4 } });
        assert_eq!(urls("h/{n}", &steps), ["h/-1", "h/3", "h/7"]);
    }

    #[test]
    fn what_makes_no_urls_is_said_to_be_wrong() {
        let one = json!({ "n": { "from": 1, "to": 2 } });
        let name = || "n".to_owned();
        for (text, ranges, why) in [
            ("h/{n", &one, BadTemplate::Braces),
            ("h/}{n}", &one, BadTemplate::Braces),
            ("h/{}", &one, BadTemplate::Braces),
            ("h/", &json!({}), BadTemplate::NoPlace),
            ("h/{n}/{m}", &one, BadTemplate::NoRange("m".to_owned())),
            ("h/{n}/{n}", &one, BadTemplate::Twice(name())),
            ("h/{m}", &json!({ "m": one["n"], "n": one["n"] }), BadTemplate::NoSuchPlace(name())),
            ("h/{n}", &json!({ "n": { "from": 1, "to": "2" } }), BadTemplate::Range(name())),
            (
                "h/{n}",
                &json!({ "n": { "from": 1, "to": 2, "step": 0 } }),
                BadTemplate::Range(name()),
            ),
            (
                "h/{n}",
                &json!({ "n": { "from": "2026-02-30", "to": "2026-03-01" } }),
                BadTemplate::Range(name()),
            ),
            ("h/{n}", &json!({ "n": { "from": i64::MIN, "to": i64::MAX } }), BadTemplate::TooMany),
        ] {
            assert_eq!(read(text, ranges), Err(why), "{text} {ranges}");
        }
    }
}
