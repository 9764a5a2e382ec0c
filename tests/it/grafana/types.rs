//! The dashboards against the types that Grafana publishes: a misspelled option is an error of the compiler.

use super::dashboards::path_of;
use crate::lab;
use crate::util::{Place, Run};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;

/// JSON has the values of an enumeration as text, no panel names all its options, and the classes of queries are marked by a
/// member that no JSON has.
const FORMS: &str = r#"
type Mark = "_implementsDataqueryVariant";
type Json<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T
  : T extends (infer U)[] ? Json<U>[]
  : keyof T extends Mark ? object
  : { [K in keyof T as K extends Mark ? never : K]: Json<T[K]> };
type Some<T> = T extends (infer U)[] ? U[] : T extends object ? { [K in keyof T]?: Some<T[K]> } : T;
"#;
/// Kinds of panels whose series have options of their own.
const WITH_FIELDS: [&str; 2] = ["table", "timeseries"];

/// One dashboard as a program: constants of Grafana's types.
fn program(dashboard: &Value) -> String {
    let mut program = String::new();
    for name in ["dashboard", "prometheus", "stat", "table", "timeseries"] {
        let _ = writeln!(
            program,
            "import type * as {name} from \"@grafana/grafana-foundation-sdk/{name}\";"
        );
    }
    program += FORMS;
    let mut constant = |kind: &str, value: &Value| {
        let number = program.lines().count();
        let _ = writeln!(program, "export const line{number}: {kind} = {value};");
    };
    constant("Json<dashboard.Dashboard>", dashboard);
    for panel in dashboard["panels"].as_array().unwrap() {
        let kind = panel["type"].as_str().unwrap();
        constant(&format!("Some<Json<{kind}.Options>>"), &panel["options"]);
        let custom = &panel["fieldConfig"]["defaults"]["custom"];
        if WITH_FIELDS.contains(&kind) && !custom.is_null() {
            constant(&format!("Some<Json<{kind}.FieldConfig>>"), custom);
        }
        for target in panel["targets"].as_array().unwrap() {
            if target["datasource"]["type"] == "prometheus" {
                constant("Json<prometheus.Dataquery>", target);
            }
        }
    }
    program
}

/// What the compiler says of programs, each a file.
fn compiled(programs: &[(String, String)]) -> Run {
    let place = Place::new();
    std::os::unix::fs::symlink(lab::grafana_types(), place.path("node_modules")).unwrap();
    let mut command = lab::program("node");
    command
        .current_dir(place.path(""))
        .arg("node_modules/typescript/bin/tsc")
        .args("--noEmit --strict --skipLibCheck --preserveSymlinks --target es2022".split(' '))
        .args("--module nodenext --moduleResolution nodenext".split(' '));
    for (name, text) in programs {
        place.write(name, text);
        command.arg(name);
    }
    Run::of(command.output().unwrap())
}

fn dashboards() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for folder in ["dashboards", "dashboards-prometheus"] {
        for entry in fs::read_dir(path_of(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{}.ts", path.file_stem().unwrap().to_str().unwrap());
            found.push((name, serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()));
        }
    }
    found
}

#[test]
#[ignore = "lab: needs node and Grafana's published types"]
fn every_dashboard_is_one_of_grafanas_published_types() {
    let mut programs: Vec<(String, String)> = dashboards()
        .iter()
        .map(|(name, dashboard)| (name.clone(), program(dashboard)))
        .collect();
    assert!(programs.len() > 5);
    let run = compiled(&programs);
    assert_eq!(run.code, 0, "{}", run.out);
    // A mistake in each of what is compared is noticed.
    for (right, wrong) in [
        (r#""graphTooltip":1"#, r#""graphTooltip":7"#),
        (r#""colorMode":"none""#, r#""colorMode":"nonesuch""#),
        (r#""drawStyle":"line""#, r#""drawStile":"line""#),
        (r#""format":"time_series""#, r#""format":"time_serious""#),
    ] {
        let at = programs.iter().position(|(_, text)| text.contains(right));
        let (_, text) = &mut programs[at.unwrap_or_else(|| panic!("{right} is nowhere"))];
        let before = text.clone();
        *text = text.replace(right, wrong);
        let run = compiled(&programs[at.unwrap()..=at.unwrap()]);
        assert!(run.code != 0 && run.out.contains("error TS"), "{wrong}: {}", run.out);
        programs[at.unwrap()].1 = before;
    }
}
