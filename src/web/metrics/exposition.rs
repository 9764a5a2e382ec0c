//! Metrics as text: the classic format, or OpenMetrics.

use mailpulse_parsers::harmless::safe_text;
use std::fmt::Write as _;

/// Characters of a label's value.
const LABEL_MAX: usize = 200;

/// A metric with its samples.
pub(super) struct MetricFamily {
    /// Without `_total`.
    name: &'static str,
    help: &'static str,
    is_counter: bool,
    samples: Vec<(Vec<(&'static str, String)>, f64)>,
}

/// All metrics of a scrape.
#[derive(Default)]
pub(super) struct MetricFamilies(Vec<MetricFamily>);

impl MetricFamilies {
    pub(super) fn add(&mut self, name: &'static str, help: &'static str, is_counter: bool) -> &mut MetricFamily {
        self.0.push(MetricFamily {
            name,
            help,
            is_counter,
            samples: Vec::new(),
        });
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str) -> &mut MetricFamily {
        self.add(name, help, false)
    }

    pub(super) fn counter(&mut self, name: &'static str, help: &'static str) -> &mut MetricFamily {
        self.add(name, help, true)
    }

    /// As text; metrics without samples are left out.
    pub(super) fn text(&self, is_open: bool) -> String {
        let mut text = String::new();
        for family in self.0.iter().filter(|family| !family.samples.is_empty()) {
            let total = if family.is_counter { "_total" } else { "" };
            let title = if is_open {
                family.name.to_owned()
            } else {
                format!("{}{total}", family.name)
            };
            let kind = if family.is_counter { "counter" } else { "gauge" };
            let _ = writeln!(text, "# HELP {title} {}\n# TYPE {title} {kind}", family.help);
            for (labels, value) in &family.samples {
                let labels: Vec<String> = labels
                    .iter()
                    .map(|(name, value)| format!("{name}=\"{}\"", label(value)))
                    .collect();
                let labels = if labels.is_empty() {
                    String::new()
                } else {
                    format!("{{{}}}", labels.join(","))
                };
                let _ = writeln!(text, "{}{total}{labels} {value}", family.name);
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
        self.samples.push((labels.into(), value));
        self
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
