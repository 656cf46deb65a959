//! What scrapers read: the text format 0.0.4 of Prometheus, and `OpenMetrics` 1.0. Both have
//! families of samples; they differ in how counters are named, and in how the text ends.

use std::fmt::{Display, Write};

use crate::telemetry::histogram::{SHOWN, Times};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' own.
    Text,
    /// `OpenMetrics`.
    OpenMetrics,
}

impl Format {
    /// What an `Accept` asks for (RFC 9110, 12.5.1): `OpenMetrics` where it is named with a
    /// weight that is not less than that of plain text.
    pub fn accepted(accept: &str) -> Self {
        let mut best = (0.0, 0.0);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let (mut weight, mut known) = (1.0, true);
            for part in parts {
                match part.split_once('=') {
                    Some((name, value)) if name.eq_ignore_ascii_case("q") => {
                        weight = value.parse().unwrap_or(0.0_f64).clamp(0.0, 1.0);
                    }
                    Some((name, value)) if name.eq_ignore_ascii_case("version") => {
                        known = matches!(value.trim_matches('"'), "1.0.0" | "0.0.1" | "0.0.4");
                    }
                    _ => {}
                }
            }
            match &*media {
                "application/openmetrics-text" if known => best.0 = f64::max(best.0, weight),
                "text/plain" | "text/*" | "*/*" => best.1 = f64::max(best.1, weight),
                _ => {}
            }
        }
        if best.0 > 0.0 && best.0 >= best.1 { Self::OpenMetrics } else { Self::Text }
    }

    /// The media type of the text.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Which kind of value a family has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Times in buckets.
    Histogram,
    /// A constant 1; its labels tell.
    Info,
}

/// One label: its name, and a value that may hold anything.
pub type Label<'a> = (&'a str, &'a str);

/// A text in the making. A family is begun once, and its samples follow.
#[derive(Debug)]
pub struct Exposition {
    format: Format,
    text: String,
    /// The samples' name, and what stands behind it.
    family: &'static str,
    suffix: &'static str,
}

impl Exposition {
    /// Nothing yet.
    pub fn new(format: Format) -> Self {
        Self { format, text: String::with_capacity(16 * 1_024), family: "", suffix: "" }
    }

    /// Begins a family. `name` is without `_total` or `_info`, `help` one plain sentence.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> &mut Self {
        let (word, suffix) = match (kind, self.format) {
            (Kind::Counter, _) => ("counter", "_total"),
            (Kind::Gauge, _) => ("gauge", ""),
            (Kind::Histogram, _) => ("histogram", ""),
            (Kind::Info, Format::OpenMetrics) => ("info", "_info"),
            (Kind::Info, Format::Text) => ("gauge", "_info"),
        };
        (self.family, self.suffix) = (name, suffix);
        // OpenMetrics names a family without what its samples have behind the name.
        let told = if self.format == Format::Text { suffix } else { "" };
        self.put(format_args!("# HELP {name}{told} {help}\n# TYPE {name}{told} {word}\n"));
        self
    }

    /// One sample of the family.
    pub fn sample(&mut self, labels: &[Label<'_>], value: impl Display) -> &mut Self {
        self.line(self.suffix, labels, None, value);
        self
    }

    /// One histogram of the family, of times in seconds.
    pub fn times(&mut self, labels: &[Label<'_>], times: &Times) -> &mut Self {
        let count = times.count();
        for (bound, text) in SHOWN {
            self.line("_bucket", labels, Some(("le", text)), times.up_to(bound));
        }
        self.line("_bucket", labels, Some(("le", "+Inf")), count);
        self.line("_sum", labels, None, Seconds(times.sum_micros));
        self.line("_count", labels, None, count);
        self
    }

    /// The text.
    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    fn line(
        &mut self,
        suffix: &str,
        labels: &[Label<'_>],
        last: Option<Label<'_>>,
        value: impl Display,
    ) {
        self.text.push_str(self.family);
        self.text.push_str(suffix);
        let mut open = '{';
        for (name, value) in labels.iter().copied().chain(last) {
            self.text.push(open);
            open = ',';
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape(value, &mut self.text);
            self.text.push('"');
        }
        if open == ',' {
            self.text.push('}');
        }
        self.put(format_args!(" {value}\n"));
    }

    fn put(&mut self, what: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        self.text.write_fmt(what).unwrap_or_default();
    }
}

/// Microseconds, shown in seconds without loss.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

fn escape(value: &str, out: &mut String) {
    for letter in value.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::histogram::Histogram;

    fn sample(format: Format) -> String {
        let mut text = Exposition::new(format);
        text.family("a", Kind::Counter, "As.").sample(&[("x", "q\"\\\n")], 1).sample(&[], 2);
        text.family("b", Kind::Info, "Bs.").sample(&[("v", "1"), ("w", "2")], 1);
        text.finish()
    }

    #[test]
    fn both_formats_as_they_are_specified() {
        assert_eq!(
            sample(Format::Text),
            "# HELP a_total As.\n# TYPE a_total counter\na_total{x=\"q\\\"\\\\\\n\"} 1\n\
             a_total 2\n# HELP b_info Bs.\n# TYPE b_info gauge\nb_info{v=\"1\",w=\"2\"} 1\n"
        );
        assert_eq!(
            sample(Format::OpenMetrics),
            "# HELP a As.\n# TYPE a counter\na_total{x=\"q\\\"\\\\\\n\"} 1\na_total 2\n\
             # HELP b Bs.\n# TYPE b info\nb_info{v=\"1\",w=\"2\"} 1\n# EOF\n"
        );
    }

    #[test]
    fn a_histogram_is_cumulative_and_in_seconds() {
        let times = Histogram::default();
        for micros in [40, 1_000, 30_000_000] {
            times.record(micros);
        }
        let mut text = Exposition::new(Format::Text);
        text.family("t_seconds", Kind::Histogram, "Ts.").times(&[("x", "y")], &times.read());
        let text = text.finish();
        for line in [
            "t_seconds_bucket{x=\"y\",le=\"0.00005\"} 1\n",
            "t_seconds_bucket{x=\"y\",le=\"0.001\"} 2\n",
            "t_seconds_bucket{x=\"y\",le=\"25.0\"} 2\n",
            "t_seconds_bucket{x=\"y\",le=\"+Inf\"} 3\n",
            "t_seconds_sum{x=\"y\"} 30.001040\n",
            "t_seconds_count{x=\"y\"} 3\n",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }

    #[test]
    fn the_format_is_what_is_accepted() {
        let scraper = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;\
                       q=0.3,*/*;q=0.1";
        assert_eq!(Format::accepted(scraper), Format::OpenMetrics);
        for accept in [
            "",
            "*/*",
            "text/plain",
            "text/html",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text; q=0.2, text/plain",
            "application/openmetrics-text; version=9.0.0",
        ] {
            assert_eq!(Format::accepted(accept), Format::Text, "{accept}");
        }
    }
}
