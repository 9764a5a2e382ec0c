//! Dashboards and alert rules, made of `dist/grafana/dashboards.toml` and the SQL of `sql/grafana/`.

use crate::logs::root;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The plugin that Grafana needs.
const PLUGIN: &str = "grafana-clickhouse-datasource";
/// Columns of Grafana's grid.
const GRID: u64 = 24;

/// The table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    pub variable: BTreeMap<String, Variable>,
    pub dashboard: Vec<Dashboard>,
    pub alert: Vec<Alert>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variable {
    pub label: String,
    pub sql: Option<String>,
    #[serde(default)]
    pub values: Vec<String>,
    #[serde(default)]
    pub many: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dashboard {
    pub uid: String,
    pub title: String,
    pub description: String,
    pub variables: Vec<String>,
    pub panel: Vec<Panel>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Panel {
    pub title: String,
    pub kind: PanelKind,
    pub sql: String,
    pub unit: String,
    pub width: u64,
    pub height: u64,
    /// Units of columns that have others.
    #[serde(default)]
    pub units: BTreeMap<String, String>,
    /// Columns whose values lead to a dashboard.
    #[serde(default)]
    pub links: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PanelKind {
    Timeseries,
    Table,
    Stat,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alert {
    pub uid: String,
    pub title: String,
    pub sql: String,
    pub below: Option<f64>,
    pub above: Option<f64>,
    pub r#for: String,
    pub severity: String,
    pub summary: String,
    pub no_data: String,
}

/// Reads the table.
pub(crate) fn table() -> Table {
    let text = fs::read_to_string(root().join("dist/grafana/dashboards.toml")).unwrap();
    toml::from_str(&text).unwrap()
}

/// The comment at the top of a file of SQL, and the text with its parts in place.
pub(crate) fn sql(name: &str) -> (String, String) {
    let folder = root().join("sql/grafana");
    let text =
        fs::read_to_string(folder.join(name).with_extension("sql")).unwrap_or_else(|error| panic!("{name}: {error}"));
    let (comment, text): (Vec<&str>, Vec<&str>) = {
        let end = text.lines().take_while(|line| line.starts_with("--")).count();
        (text.lines().take(end).collect(), text.lines().skip(end).collect())
    };
    let about: Vec<&str> = comment.iter().map(|line| line.trim_start_matches("-- ")).collect();
    let mut out = text.join("\n");
    while let Some((before, rest)) = out.split_once("{{") {
        let (part, after) = rest.split_once("}}").expect("a part's end");
        let part = fs::read_to_string(folder.join("parts").join(part).with_extension("sql"))
            .unwrap_or_else(|error| panic!("{name}: {part}: {error}"));
        out = format!("{before}{}{after}", part.trim_end());
    }
    (about.join(" "), out)
}

/// Places of panels of these sizes, row by row.
pub(crate) fn placed(sizes: impl Iterator<Item = (u64, u64)>) -> Vec<(u64, u64)> {
    let (mut x, mut y, mut row) = (0, 0, 0);
    let place = |(width, height): (u64, u64)| {
        if x + width > GRID {
            (x, y, row) = (0, y + row, 0);
        }
        let place = (x, y);
        x += width;
        row = row.max(height);
        place
    };
    sizes.map(place).collect()
}

fn datasource() -> Value {
    json!({ "type": PLUGIN, "uid": "${datasource}" })
}

/// Names of columns as people read them.
fn spoken(column: &str) -> String {
    column.replace('_', " ").replace(" percent", "")
}

/// How a kind of panel shows what it has; `text_mode` is a stat's.
pub(crate) fn kind_and_options(kind: PanelKind, text_mode: &str) -> (&'static str, Value) {
    match kind {
        PanelKind::Timeseries => (
            "timeseries",
            json!({
                "legend": { "displayMode": "table", "placement": "right", "showLegend": true, "calcs": ["lastNotNull", "max"] },
                "tooltip": { "mode": "multi", "sort": "desc" },
            }),
        ),
        PanelKind::Table => ("table", json!({ "showHeader": true, "cellHeight": "sm" })),
        PanelKind::Stat => (
            "stat",
            json!({
                "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
                "colorMode": "none", "graphMode": "none", "justifyMode": "auto", "orientation": "auto", "textMode": text_mode,
            }),
        ),
    }
}

/// Lines with gaps: nothing is drawn over times without a value.
pub(crate) fn lines_with_gaps() -> Value {
    json!({ "drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "auto", "spanNulls": false })
}

impl Panel {
    fn json(&self, id: usize, at: (u64, u64)) -> Value {
        let (about, text) = sql(&self.sql);
        let is_series = self.kind == PanelKind::Timeseries;
        let (kind, options) = kind_and_options(self.kind, "value");
        let mut defaults = Map::new();
        defaults.insert("unit".to_owned(), Value::from(self.unit.as_str()));
        if is_series {
            defaults.insert("min".to_owned(), Value::from(0));
            defaults.insert("custom".to_owned(), lines_with_gaps());
        }
        json!({
            "id": id,
            "type": kind,
            "title": self.title,
            "description": about,
            "gridPos": { "x": at.0, "y": at.1, "w": self.width, "h": self.height },
            "datasource": datasource(),
            "targets": [{
                "refId": "A",
                "datasource": datasource(),
                "editorType": "sql",
                "queryType": if is_series { "timeseries" } else { "table" },
                "format": if is_series { 0 } else { 1 },
                "rawSql": text,
            }],
            "fieldConfig": { "defaults": defaults, "overrides": self.overrides() },
            "options": options,
        })
    }

    /// What holds for single columns: units, names, and ways on.
    fn overrides(&self) -> Vec<Value> {
        let mut columns: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for (column, unit) in &self.units {
            let own = columns.entry(column).or_default();
            own.push(json!({ "id": "unit", "value": unit }));
            own.push(json!({ "id": "displayName", "value": spoken(column) }));
        }
        for (column, to) in &self.links {
            let url = format!(
                "/d/mailpulse-{to}?var-{column}=${{__value.text}}&var-datasource=${{datasource}}&var-direction=${{direction}}&${{__url_time_range}}"
            );
            let link = json!([{ "title": format!("Show this {to}"), "url": url }]);
            columns
                .entry(column)
                .or_default()
                .push(json!({ "id": "links", "value": link }));
        }
        columns
            .into_iter()
            .map(|(column, properties)| {
                json!({ "matcher": { "id": "byName", "options": column }, "properties": properties })
            })
            .collect()
    }
}

impl Variable {
    fn json(&self, name: &str) -> Value {
        if let Some(text) = &self.sql {
            let mut variable = json!({
                "name": name, "label": self.label, "type": "query", "datasource": datasource(), "query": text, "definition": text,
                "refresh": 2, "sort": 1, "multi": self.many, "includeAll": self.many, "hide": 0, "options": [],
            });
            if self.many {
                variable["current"] = json!({ "text": "All", "value": "$__all" });
            }
            return variable;
        }
        let option = |value: &String| json!({ "text": value, "value": value, "selected": value == &self.values[0] });
        json!({
            "name": name, "label": self.label, "type": "custom", "query": self.values.join(","), "multi": false, "includeAll": false,
            "hide": 0, "current": option(&self.values[0]), "options": self.values.iter().map(option).collect::<Vec<_>>(),
        })
    }
}

/// A dashboard of panels, with the uid, title and description; `tag` joins it with those that it leads to.
pub(crate) fn framed(
    [uid, title, description]: [&str; 3],
    tag: &str,
    variables: Vec<Value>,
    panels: Vec<Value>,
) -> Value {
    json!({
        "uid": uid,
        "title": title,
        "description": description,
        "tags": [tag],
        "schemaVersion": 39,
        "version": 1,
        "editable": true,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": { "from": "now-24h", "to": "now" },
        "refresh": "1m",
        "templating": { "list": variables },
        "annotations": { "list": [] },
        "links": [{
            "type": "dashboards", "title": "mailpulse", "tags": [tag], "asDropdown": false, "includeVars": true,
            "keepTime": true, "targetBlank": false, "icon": "external link", "tooltip": "", "url": "",
        }],
        "panels": panels,
    })
}

impl Dashboard {
    /// The dashboard as Grafana imports it.
    pub(crate) fn json(&self, variables: &BTreeMap<String, Variable>) -> Value {
        let source = json!({
            "name": "datasource", "label": "ClickHouse", "type": "datasource", "query": PLUGIN, "refresh": 1, "hide": 0,
            "multi": false, "includeAll": false, "options": [],
        });
        let own = self.variables.iter().map(|name| variables[name].json(name));
        let places = placed(self.panel.iter().map(|panel| (panel.width, panel.height)));
        let panels = self.panel.iter().zip(places).enumerate();
        let panels: Vec<Value> = panels.map(|(at, (panel, place))| panel.json(at + 1, place)).collect();
        let variables = std::iter::once(source).chain(own).collect();
        framed(
            [&self.uid, &self.title, &self.description],
            "mailpulse",
            variables,
            panels,
        )
    }
}

impl Alert {
    fn json(&self) -> Value {
        let (about, text) = sql(&format!("alerts/{}", self.sql));
        let (kind, limit) = match (self.below, self.above) {
            (Some(limit), None) => ("lt", limit),
            (None, Some(limit)) => ("gt", limit),
            _ => panic!("{}: either below or above", self.uid),
        };
        let query = json!({
            "refId": "A", "datasourceUid": "mailpulse-clickhouse", "relativeTimeRange": { "from": 3600, "to": 0 },
            "model": {
                "refId": "A", "datasource": { "type": PLUGIN, "uid": "mailpulse-clickhouse" }, "editorType": "sql",
                "queryType": "table", "format": 1, "rawSql": text,
            },
        });
        let threshold = json!({
            "refId": "B", "datasourceUid": "__expr__", "relativeTimeRange": { "from": 0, "to": 0 },
            "model": {
                "refId": "B", "type": "threshold", "expression": "A",
                "conditions": [{ "evaluator": { "type": kind, "params": [limit] } }],
            },
        });
        json!({
            "uid": self.uid, "title": self.title, "condition": "B", "data": [query, threshold], "for": self.r#for,
            "noDataState": self.no_data, "execErrState": "Error", "labels": { "severity": self.severity },
            "annotations": { "summary": self.summary, "description": about },
        })
    }
}

/// All files that are made of the table, by their paths below `dist/grafana/`.
pub(crate) fn files() -> BTreeMap<String, String> {
    let table = table();
    let mut files = BTreeMap::new();
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap() + "\n";
    for dashboard in &table.dashboard {
        let path = format!("dashboards/{}.json", dashboard.uid);
        files.insert(path, pretty(&dashboard.json(&table.variable)));
    }
    let rules: Vec<Value> = table.alert.iter().map(Alert::json).collect();
    // YAML is a superset of JSON: what Grafana reads as YAML may be JSON.
    let alerting = json!({
        "apiVersion": 1,
        "groups": [{ "orgId": 1, "name": "mailpulse", "folder": "mailpulse", "interval": "1m", "rules": rules }],
    });
    files.insert("provisioning/alerting/mailpulse.yaml".to_owned(), pretty(&alerting));
    files
}

/// Asserts that a generated file is there as it is made; `MAILPULSE_BLESS` writes it.
pub(crate) fn is_generated(name: &str, text: &str) {
    let path = path_of(name);
    if std::env::var_os("MAILPULSE_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == text,
        "{name} is not made of the table: MAILPULSE_BLESS=1 cargo test --test it grafana"
    );
}

/// Where a file of the table belongs.
pub(crate) fn path_of(name: &str) -> std::path::PathBuf {
    Path::new(&root()).join("dist/grafana").join(name)
}
