//! Dashboards over a Prometheus: made of `dist/grafana/prometheus.toml`, sound, and each panel's expression finds something.

use crate::grafana::dashboards::{PanelKind, framed, is_generated, kind_and_options, lines_with_gaps, path_of, placed};
use crate::logs::root;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricTable {
    variable: BTreeMap<String, MetricVariable>,
    dashboard: Vec<MetricDashboard>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricVariable {
    label: String,
    expr: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricDashboard {
    uid: String,
    title: String,
    description: String,
    variables: Vec<String>,
    panel: Vec<MetricPanel>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricPanel {
    title: String,
    kind: PanelKind,
    about: String,
    expr: String,
    legend: String,
    unit: String,
    width: u64,
    height: u64,
}

fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

impl MetricPanel {
    fn json(&self, id: usize, (x, y): (u64, u64)) -> Value {
        let is_series = self.kind == PanelKind::Timeseries;
        let is_table = self.kind == PanelKind::Table;
        let (kind, options) = kind_and_options(self.kind, "auto");
        let custom = match is_series {
            true => lines_with_gaps(),
            false => json!({}),
        };
        // The time of the question says nothing in a table.
        let hidden = json!({ "id": "organize", "options": { "excludeByName": { "Time": true } } });
        json!({
            "id": id,
            "type": kind,
            "title": self.title,
            "description": self.about,
            "gridPos": { "x": x, "y": y, "w": self.width, "h": self.height },
            "datasource": datasource(),
            "targets": [{
                "refId": "A", "datasource": datasource(), "expr": self.expr, "legendFormat": self.legend,
                "instant": !is_series, "range": is_series, "format": if is_table { "table" } else { "time_series" },
            }],
            "transformations": if is_table { vec![hidden] } else { Vec::new() },
            "fieldConfig": { "defaults": { "unit": self.unit, "custom": custom }, "overrides": [] },
            "options": options,
        })
    }
}

impl MetricDashboard {
    fn json(&self, variables: &BTreeMap<String, MetricVariable>) -> Value {
        let source = json!({
            "name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "refresh": 1, "hide": 0,
            "multi": false, "includeAll": false, "options": [],
        });
        let own = self.variables.iter().map(|name| {
            let MetricVariable { label, expr } = &variables[name];
            json!({
                "name": name, "label": label, "type": "query", "datasource": datasource(), "definition": expr,
                "query": { "query": expr, "refId": "A" }, "refresh": 2, "sort": 1, "multi": true, "includeAll": true,
                "allValue": ".*", "hide": 0, "current": { "text": "All", "value": "$__all" }, "options": [],
            })
        });
        let places = placed(self.panel.iter().map(|panel| (panel.width, panel.height)));
        let panels = self.panel.iter().zip(places).enumerate();
        let panels = panels.map(|(at, (panel, place))| panel.json(at + 1, place)).collect();
        let variables = std::iter::once(source).chain(own).collect();
        let head = [&self.uid, &self.title, &self.description].map(String::as_str);
        framed(head, "mailpulse-prometheus", variables, panels)
    }
}

fn metric_table() -> MetricTable {
    toml::from_str(&fs::read_to_string(root().join("dist/grafana/prometheus.toml")).unwrap()).unwrap()
}

/// All expressions, with every value of each variable, by the titles of their panels.
pub(crate) fn expressions() -> Vec<(String, String)> {
    let table = metric_table();
    let panels = table.dashboard.into_iter().flat_map(|dashboard| dashboard.panel);
    let variables: Vec<String> = table.variable.into_keys().collect();
    let filled = |expr: String| {
        variables
            .iter()
            .fold(expr, |expr, name| expr.replace(&format!("${name}"), ".*"))
    };
    panels.map(|panel| (panel.title, filled(panel.expr))).collect()
}

#[test]
fn dashboards_over_prometheus_are_those_of_their_table_and_sound() {
    let table = metric_table();
    let mut made = BTreeSet::new();
    for dashboard in &table.dashboard {
        let name = format!("dashboards-prometheus/{}.json", dashboard.uid);
        let text = serde_json::to_string_pretty(&dashboard.json(&table.variable)).unwrap() + "\n";
        is_generated(&name, &text);
        made.insert(path_of(&name));
        let all: String = dashboard.panel.iter().map(|panel| panel.expr.as_str()).collect();
        for variable in &dashboard.variables {
            assert!(
                all.contains(&format!("\"${variable}\"")),
                "{name}: {variable} is not used"
            );
        }
        for part in all.split("=~\"$").skip(1) {
            let used = part.split('"').next().unwrap().to_owned();
            assert!(dashboard.variables.contains(&used), "{name}: {used} is not defined");
        }
        for panel in &dashboard.panel {
            assert!(panel.about.len() > 20 && panel.about.ends_with('.'), "{}", panel.title);
            assert!(!panel.unit.is_empty(), "{}", panel.title);
        }
    }
    for file in fs::read_dir(path_of("dashboards-prometheus")).unwrap() {
        let path = file.unwrap().path();
        assert!(made.contains(&path), "{} is made of nothing", path.display());
    }
    let mut titles = BTreeSet::new();
    let panels = table.dashboard.iter().flat_map(|dashboard| &dashboard.panel);
    panels.for_each(|panel| assert!(titles.insert(&panel.title), "{} is twice", panel.title));
}
