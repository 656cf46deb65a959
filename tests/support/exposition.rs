//! A strict reader of what `/metrics` says, in both formats. It knows nothing of the program: it
//! takes every line apart by the grammar and holds families to what the formats demand of them.

use std::collections::{BTreeMap, BTreeSet};

/// A text that was read to its end and found right.
#[derive(Debug)]
pub(crate) struct Exposed {
    families: BTreeMap<String, Family>,
}

#[derive(Debug)]
struct Family {
    kind: String,
    samples: Vec<Sample>,
}

/// One line with a value.
#[derive(Clone, Debug, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Exposed {
    /// Prometheus' text format 0.0.4.
    #[track_caller]
    pub(crate) fn text(body: &str) -> Self {
        Self::read(body, false).unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    /// `OpenMetrics` 1.0.
    #[track_caller]
    pub(crate) fn open_metrics(body: &str) -> Self {
        Self::read(body, true).unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    fn read(body: &str, open: bool) -> Result<Self, String> {
        let body = match (open, body.strip_suffix("# EOF\n")) {
            (true, Some(body)) => body,
            (true, None) => return Err("no `# EOF` at the end".to_owned()),
            (false, _) => body,
        };
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        let mut current: Option<String> = None;
        let mut lines = body.split_terminator('\n');
        if !body.ends_with('\n') {
            return Err("the last line does not end".to_owned());
        }
        while let Some(line) = lines.next() {
            let at = |wrong: String| format!("{wrong}, in: {line}");
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').ok_or_else(|| at("no help".into()))?;
                is_name(name, ":").then_some(()).ok_or_else(|| at("no name".into()))?;
                (!help.trim().is_empty()).then_some(()).ok_or_else(|| at("no help".into()))?;
                let kind = lines.next().and_then(|next| next.strip_prefix("# TYPE "));
                let kind = kind.and_then(|kind| kind.strip_prefix(name)?.strip_prefix(' '));
                let kind = kind.ok_or_else(|| at("no TYPE behind its HELP".into()))?.to_owned();
                let family = Family { kind, samples: Vec::new() };
                if families.insert(name.to_owned(), family).is_some() {
                    return Err(at("a family told twice".into()));
                }
                current = Some(name.to_owned());
                continue;
            }
            let sample = sample(line).map_err(at)?;
            let name = current.clone().ok_or_else(|| at("a sample without a family".into()))?;
            let family = families.get_mut(&name).ok_or_else(|| at("no family".into()))?;
            let suffix = sample.name.strip_prefix(&name);
            let fits = suffix.is_some_and(|suffix| fits(&family.kind, suffix, open));
            if !fits || (family.kind == "counter" && !open && !name.ends_with("_total")) {
                return Err(at(format!("not a sample of {name}, a {}", family.kind)));
            }
            family.samples.push(sample);
        }
        for (name, family) in &families {
            family.check().map_err(|wrong| format!("{name}: {wrong}"))?;
        }
        Ok(Self { families })
    }

    /// The sum of all samples of this name that have these labels, others or none.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples(name, labels).map(|sample| sample.value).sum()
    }

    /// The same, of a counter.
    #[expect(clippy::cast_sign_loss, reason = "a counter below zero is not read at all")]
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.sum(name, labels) as u64
    }

    /// The values of one label over all samples of this name.
    pub(crate) fn values(&self, name: &str, label: &str) -> BTreeSet<String> {
        self.samples(name, &[]).filter_map(|sample| sample.labels.get(label).cloned()).collect()
    }

    /// The kind of a family.
    pub(crate) fn kind(&self, family: &str) -> Option<&str> {
        self.families.get(family).map(|family| &*family.kind)
    }

    fn samples<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&str, &str)],
    ) -> impl Iterator<Item = &'a Sample> {
        let all = self.families.values().flat_map(|family| &family.samples);
        all.filter(move |sample| sample.name == name).filter(move |sample| {
            labels
                .iter()
                .all(|(label, value)| sample.labels.get(*label).is_some_and(|v| v == value))
        })
    }
}

/// Whether samples of a family of this kind may have this behind its name.
fn fits(kind: &str, suffix: &str, open: bool) -> bool {
    match (kind, suffix) {
        ("counter", "_total") | ("info", "_info") => open,
        ("counter", "") => !open,
        ("gauge", "") | ("histogram", "_bucket" | "_sum" | "_count") => true,
        _ => false,
    }
}

impl Family {
    fn check(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for sample in &self.samples {
            if !seen.insert((&sample.name, &sample.labels)) {
                return Err(format!("told twice: {sample:?}"));
            }
            if self.kind != "gauge" && (sample.value < 0.0 || !sample.value.is_finite()) {
                return Err(format!("no count: {sample:?}"));
            }
        }
        if self.kind == "histogram" { self.check_histogram() } else { Ok(()) }
    }

    /// Each series has rising buckets in the order of their bounds, the last one for all, and a
    /// count that is equal to it.
    fn check_histogram(&self) -> Result<(), String> {
        let mut series: BTreeMap<BTreeMap<String, String>, Vec<&Sample>> = BTreeMap::new();
        for sample in &self.samples {
            let mut labels = sample.labels.clone();
            let bound = labels.remove("le");
            if bound.is_some() != sample.name.ends_with("_bucket") {
                return Err(format!("`le` in the wrong place: {sample:?}"));
            }
            series.entry(labels).or_default().push(sample);
        }
        for (labels, samples) in series {
            let of = |end: &'static str| samples.iter().filter(move |one| one.name.ends_with(end));
            let bounds: Result<Vec<f64>, String> =
                of("_bucket").map(|one| number(&one.labels["le"])).collect();
            let bounds = bounds?;
            let counts: Vec<f64> = of("_bucket").map(|one| one.value).collect();
            let (count, sum): (Vec<_>, Vec<_>) = (of("_count").collect(), of("_sum").collect());
            let rising = bounds.is_sorted_by(|a, b| a < b) && counts.is_sorted();
            let whole = bounds.last() == Some(&f64::INFINITY)
                && count.len() == 1
                && sum.len() == 1
                && counts.last() == Some(&count[0].value);
            // A sum cannot be less than what its buckets hold at the least.
            let least: f64 =
                (1..counts.len()).map(|at| (counts[at] - counts[at - 1]) * bounds[at - 1]).sum();
            if !rising || !whole || sum[0].value < least * 0.99 {
                return Err(format!("no histogram: {labels:?} {bounds:?} {counts:?} {sum:?}"));
            }
        }
        Ok(())
    }
}

/// Whether a text is a name, with these letters allowed beside the usual ones.
fn is_name(text: &str, beside: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    !text.is_empty()
        && !text.starts_with(|letter: char| letter.is_ascii_digit())
        && text.chars().all(|letter| fits(letter) || beside.contains(letter))
}

fn number(text: &str) -> Result<f64, String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b".+-eE".contains(&byte));
    match text {
        "+Inf" => Ok(f64::INFINITY),
        text if plain => text.parse().map_err(|_| format!("`{text}` is no number")),
        text => Err(format!("`{text}` is no number")),
    }
}

fn sample(line: &str) -> Result<Sample, String> {
    let end = line.find(['{', ' ']).ok_or("no value")?;
    let (name, mut rest) = line.split_at(end);
    if !is_name(name, ":") {
        return Err(format!("`{name}` is no name"));
    }
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").ok_or("no label")?;
            if !is_name(label, "") {
                return Err(format!("`{label}` is no label"));
            }
            let (value, after) = quoted(after)?;
            if labels.insert(label.to_owned(), value).is_some() {
                return Err(format!("the label {label} comes twice"));
            }
            rest = after;
            match rest.split_at_checked(1) {
                Some((",", after)) => rest = after,
                Some(("}", after)) => {
                    rest = after;
                    break;
                }
                _ => return Err("labels that do not end".to_owned()),
            }
        }
    }
    let value = rest.strip_prefix(' ').ok_or("no blank before the value")?;
    Ok(Sample { name: name.to_owned(), labels, value: number(value)? })
}

/// A value up to its closing quote, and what stands behind that.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match letters.next().map(|(_, letter)| letter) {
                Some('n') => value.push('\n'),
                Some(letter @ ('"' | '\\')) => value.push(letter),
                other => return Err(format!("`\\{other:?}` escapes nothing")),
            },
            letter => value.push(letter),
        }
    }
    Err("a value that does not end".to_owned())
}

#[test]
fn a_right_text_is_read() {
    let text = "# HELP a_total As.\n# TYPE a_total counter\na_total{x=\"q\\\"\\\\\\n\",y=\"\"} 1\n\
                # HELP t T.\n# TYPE t histogram\nt_bucket{le=\"0.5\"} 1\nt_bucket{le=\"+Inf\"} 2\n\
                t_sum 1.5\nt_count 2\n";
    let read = Exposed::text(text);
    assert!((read.sum("a_total", &[("x", "q\"\\\n")]) - 1.0).abs() < f64::EPSILON);
    assert_eq!(read.kind("t"), Some("histogram"));
    let open = text.replace("HELP a_total", "HELP a").replace("TYPE a_total", "TYPE a");
    Exposed::open_metrics(&format!("{open}# EOF\n"));
}

#[test]
fn wrong_texts_are_refused() {
    let head = "# HELP a_total As.\n# TYPE a_total counter\n";
    for wrong in [
        "a 1\n",
        "# HELP a_total As.\na_total 1\n",
        "# HELP a As.\n# TYPE a counter\na 1\n",
        &format!("{head}a_total 1"),
        &format!("{head}a_total  1\n"),
        &format!("{head}a_total x\n"),
        &format!("{head}a_total{{x=\"1}} 1\n"),
        &format!("{head}a_total{{x=\"\\q\"}} 1\n"),
        &format!("{head}a_total{{x=\"1\",}} 1\n"),
        &format!("{head}a_total{{x=\"1\"}} 1\na_total{{x=\"1\"}} 2\n"),
        &format!("{head}a_total -1\n"),
        &format!("{head}b_total 1\n"),
        &format!("{head}a_total 1\n{head}"),
        "# HELP t T.\n# TYPE t histogram\nt_bucket{le=\"1\"} 2\nt_bucket{le=\"+Inf\"} 1\nt_sum 1\nt_count 1\n",
        "# HELP t T.\n# TYPE t histogram\nt_bucket{le=\"1\"} 1\nt_sum 1\nt_count 1\n",
        "# HELP t T.\n# TYPE t histogram\nt_bucket{le=\"+Inf\"} 1\nt_sum 1\nt_count 2\n",
        "# HELP t T.\n# TYPE t histogram\nt_bucket{le=\"9\"} 0\nt_bucket{le=\"+Inf\"} 1\nt_sum 1\nt_count 1\n",
    ] {
        assert!(Exposed::read(wrong, false).is_err(), "{wrong}");
    }
    assert!(Exposed::read("# HELP a As.\n# TYPE a counter\na_total 1\n", true).is_err());
}
