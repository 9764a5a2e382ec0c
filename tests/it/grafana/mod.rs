//! The dashboards for Grafana: made of one table, sound, and each panel's rows equal those of the named queries.

pub(crate) mod dashboards;
pub(crate) mod macros;
pub(crate) mod prometheus;
mod types;

use dashboards::{PanelKind, files, is_generated, path_of, sql, table};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

#[test]
fn generated_files_are_those_of_the_table() {
    for (name, text) in files() {
        is_generated(&name, &text);
    }
    let made: BTreeSet<_> = files()
        .into_keys()
        .filter(|name| name.starts_with("dashboards/"))
        .collect();
    for file in fs::read_dir(path_of("dashboards")).unwrap() {
        let name = format!("dashboards/{}", file.unwrap().file_name().to_str().unwrap());
        assert!(made.contains(&name), "{name} is made of nothing");
    }
}

#[test]
fn every_panel_says_what_it_shows_in_which_unit_from_the_selected_source() {
    let mut uids = BTreeSet::new();
    for (name, text) in files().into_iter().filter(|(name, _)| name.ends_with(".json")) {
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        assert!(
            uids.insert(dashboard["uid"].as_str().unwrap().to_owned()),
            "{name}: uid"
        );
        let panels = dashboard["panels"].as_array().unwrap();
        let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), panels.len(), "{name}: ids");
        for panel in panels {
            let title = panel["title"].as_str().unwrap();
            let about = panel["description"].as_str().unwrap();
            assert!(
                !title.is_empty() && about.len() > 20 && about.ends_with('.'),
                "{name}: {title}: {about}"
            );
            assert!(!panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap().is_empty());
            for source in [&panel["datasource"], &panel["targets"][0]["datasource"]] {
                assert_eq!(source["uid"], "${datasource}", "{name}: {title}");
            }
            let grid = &panel["gridPos"];
            assert!(
                grid["x"].as_u64().unwrap() + grid["w"].as_u64().unwrap() <= 24,
                "{name}: {title}"
            );
        }
        // Every variable is used, and every one that is used is there.
        let all: String = panels
            .iter()
            .map(|panel| panel["targets"][0]["rawSql"].as_str().unwrap())
            .collect();
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        let names: Vec<&str> = variables
            .iter()
            .map(|variable| variable["name"].as_str().unwrap())
            .collect();
        for name_of in names.iter().filter(|name| **name != "datasource") {
            assert!(
                all.contains(&format!("${{{name_of}:singlequote}}")),
                "{name}: {name_of} is not used"
            );
        }
        for part in all.split("${").skip(1) {
            let used = part.split([':', '}']).next().unwrap();
            assert!(names.contains(&used), "{name}: {used} is not defined");
        }
    }
    assert_eq!(uids.len(), 5);
}

#[test]
fn every_file_of_sql_is_shown_somewhere_and_explains_itself() {
    let table = table();
    let panels = table
        .dashboard
        .iter()
        .flat_map(|dashboard| &dashboard.panel)
        .map(|panel| panel.sql.clone());
    let alerts = table.alert.iter().map(|alert| format!("alerts/{}", alert.sql));
    let shown: BTreeSet<String> = panels.chain(alerts).collect();
    for folder in ["", "alerts/"] {
        let files = fs::read_dir(crate::logs::root().join("sql/grafana").join(folder)).unwrap();
        for file in files.map(|file| file.unwrap().path()).filter(|path| path.is_file()) {
            let name = format!("{folder}{}", file.file_stem().unwrap().to_str().unwrap());
            assert!(shown.contains(&name), "{name} is shown nowhere");
            assert!(!sql(&name).0.is_empty(), "{name} has no comment at its top");
        }
    }
    let is_line = |sql: &str| sql.contains("AS time");
    for panel in table.dashboard.iter().flat_map(|dashboard| &dashboard.panel) {
        assert_eq!(
            panel.kind == PanelKind::Timeseries,
            is_line(&sql(&panel.sql).1),
            "{}",
            panel.title
        );
    }
}
