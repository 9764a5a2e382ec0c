//! Metrics as text: the classic format, or OpenMetrics.

use mailpulse_parsers::harmless::safe_text;
use std::fmt::Write as _;

/// Characters of a label's value.
const LABEL_MAX: usize = 200;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

impl MetricKind {
    fn as_str(self) -> &'static str {
        match self {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        }
    }
}

/// Labels with their values.
type Labels = Vec<(&'static str, String)>;

/// A metric with its samples.
pub(super) struct MetricFamily {
    /// Without `_total`.
    name: &'static str,
    help: &'static str,
    kind: MetricKind,
    /// What its name ends with in a sample, labels, and value.
    samples: Vec<(&'static str, Labels, f64)>,
}

/// How often a value was at most each of some bounds.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    bounds: &'static [f64],
    /// For each bound how many values are between it and the one before.
    counts: Vec<u64>,
    all: u64,
    sum: f64,
}

impl Histogram {
    pub(super) fn new(bounds: &'static [f64]) -> Histogram {
        Histogram {
            bounds,
            counts: vec![0; bounds.len()],
            all: 0,
            sum: 0.0,
        }
    }

    pub(super) fn observe(&mut self, value: f64) {
        if let Some(at) = self.bounds.iter().position(|bound| value <= *bound) {
            self.counts[at] += 1;
        }
        self.all += 1;
        self.sum += value;
    }
}

/// All metrics of a scrape.
#[derive(Default)]
pub(super) struct MetricFamilies(Vec<MetricFamily>);

impl MetricFamilies {
    pub(super) fn add(&mut self, name: &'static str, help: &'static str, kind: MetricKind) -> &mut MetricFamily {
        self.0.push(MetricFamily {
            name,
            help,
            kind,
            samples: Vec::new(),
        });
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str) -> &mut MetricFamily {
        self.add(name, help, MetricKind::Gauge)
    }

    pub(super) fn counter(&mut self, name: &'static str, help: &'static str) -> &mut MetricFamily {
        self.add(name, help, MetricKind::Counter)
    }

    pub(super) fn histogram(&mut self, name: &'static str, help: &'static str) -> &mut MetricFamily {
        self.add(name, help, MetricKind::Histogram)
    }

    /// As text; metrics without samples are left out.
    pub(super) fn text(&self, is_open: bool) -> String {
        let mut text = String::new();
        for family in self.0.iter().filter(|family| !family.samples.is_empty()) {
            let total = if family.kind == MetricKind::Counter {
                "_total"
            } else {
                ""
            };
            let title = if is_open {
                family.name.to_owned()
            } else {
                format!("{}{total}", family.name)
            };
            let kind = family.kind.as_str();
            let _ = writeln!(text, "# HELP {title} {}\n# TYPE {title} {kind}", family.help);
            for (end, labels, value) in &family.samples {
                let labels: Vec<String> = labels
                    .iter()
                    .map(|(name, value)| format!("{name}=\"{}\"", label(value)))
                    .collect();
                let labels = if labels.is_empty() {
                    String::new()
                } else {
                    format!("{{{}}}", labels.join(","))
                };
                let _ = writeln!(text, "{}{total}{end}{labels} {value}", family.name);
            }
        }
        if is_open {
            text.push_str("# EOF\n");
        }
        text
    }
}

impl MetricFamily {
    pub(super) fn set<const N: usize>(&mut self, labels: [(&'static str, &str); N], value: f64) -> &mut MetricFamily {
        let labels = labels.map(|(name, value)| (name, value.to_owned()));
        self.samples.push(("", labels.into(), value));
        self
    }

    /// Each bucket counts what those below it do.
    pub(super) fn observed(&mut self, values: &Histogram) {
        let mut below = 0;
        for (bound, count) in values.bounds.iter().zip(&values.counts) {
            below += count;
            self.bucket(format!("{bound:?}"), below);
        }
        self.bucket("+Inf".to_owned(), values.all);
        self.samples.push(("_sum", Vec::new(), values.sum));
        self.samples.push(("_count", Vec::new(), values.all as f64));
    }

    fn bucket(&mut self, bound: String, count: u64) {
        self.samples.push(("_bucket", vec![("le", bound)], count as f64));
    }
}

/// A label's value: log text on one line, bounded, with what the format reserves escaped.
fn label(text: &str) -> String {
    let text: String = safe_text(text.as_bytes()).chars().take(LABEL_MAX).collect();
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_log_stays_in_its_label() {
        let mut families = MetricFamilies::default();
        families
            .counter("x", "Help.")
            .set([("a", "1\"} evil 2\n# TYPE\\\u{202e}")], 1.0);
        assert_eq!(
            families.text(false),
            "# HELP x_total Help.\n# TYPE x_total counter\nx_total{a=\"1\\\"} evil 2\\\\u{a}# TYPE\\\\\\\\u{202e}\"} 1\n"
        );
        assert!(
            families
                .text(true)
                .starts_with("# HELP x Help.\n# TYPE x counter\nx_total{")
        );
        assert!(families.text(true).ends_with("# EOF\n"));
        assert!(label(&"é".repeat(64 << 10)).chars().count() <= LABEL_MAX);
    }
}
