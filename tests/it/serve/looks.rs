//! Pages as tools see them that look for what bars people, and the API as one that holds it to its description.

use super::{Served, night};
use crate::lab;
use crate::logs::root;
use crate::util::Run;
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::Stdio;

/// Each kind of page.
const PAGES: [&str; 13] = [
    "/",
    "/?state=all&q=e",
    "/service?name=phabricator",
    "/service?name=phabricator&from=-7d",
    "/relay?name=mx1001",
    "/hostgroup?name=phab",
    "/provider?name=google",
    "/alarms",
    "/incident?from=2018-06-06T18:55Z",
    "/routes",
    "/sources",
    "/trace",
    "/nowhere",
];

/// What a browser says of some jobs; `tests/lab/browse.py` says what a job is.
fn browsed(jobs: &[Value], axe: &str) -> Vec<Value> {
    // It starts this one.
    let _ = lab::program("chromium");
    let mut child = lab::program("python3")
        .arg(root().join("tests/lab/browse.py"))
        .args([axe, ""])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    let mut stdin = child.stdin.take().unwrap();
    for job in jobs {
        writeln!(stdin, "{job}").expect("sent");
    }
    drop(stdin);
    let run = Run::of(child.wait_with_output().expect("it ends")).ends(0);
    let answers: Vec<Value> = run
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(answers.len(), jobs.len(), "{}", run.err);
    answers
}

#[test]
#[ignore = "lab: needs chromium and axe-core"]
fn no_page_bars_anybody_in_light_in_the_dark_and_on_a_phone() {
    let served = Served::start(night(), &["--at", "2018-06-06T22:00Z"]);
    let mut jobs = Vec::new();
    for path in PAGES {
        // What takes long has been computed before the browser looks.
        served.settled(path);
        for (width, dark) in [(1280, false), (1280, true), (400, false)] {
            let url = format!("http://127.0.0.1:{}{path}", served.port);
            jobs.push(json!({
                "name": format!("{path} {width} {dark}"), "url": url, "width": width, "dark": dark,
                "script": "document.documentElement.scrollWidth - document.documentElement.clientWidth",
            }));
        }
    }
    let axe = lab::axe();
    for answer in browsed(&jobs, axe.to_str().unwrap()) {
        let name = answer["name"].as_str().unwrap();
        assert_eq!(answer["violations"], json!([]), "{name}");
        assert_eq!(answer["elsewhere"], json!([]), "{name}");
        assert_eq!(answer["script"], 0, "{name}: the page scrolls sideways");
        let logged = answer["logged"].as_array().unwrap();
        let is_expected = |words: &&Value| name.contains("/nowhere") && words.as_str().unwrap().contains("404");
        assert!(logged.iter().all(|words| is_expected(&words)), "{name}: {logged:?}");
    }
}

/// What a page is drawn in: its background, and which picture of a graph is shown.
const DRAWN: &str = "[getComputedStyle(document.body).backgroundColor, \
     ...Array.from(document.querySelectorAll('.graph svg'), (svg) => svg.getBoundingClientRect().width > 0 ? \
     (svg.closest('.dark') ? 'dark' : 'light') : '')].filter((word) => word).join(' ')";

#[test]
#[ignore = "lab: needs chromium and axe-core"]
fn a_reader_chooses_light_or_dark_and_every_page_keeps_it() {
    let served = Served::start(night(), &["--at", "2018-06-06T22:00Z"]);
    let path = "/service?name=phabricator";
    served.settled(path);
    let job = |name: &str, system: bool, script: String| {
        json!({
            "name": name, "url": format!("http://127.0.0.1:{}{path}", served.port), "dark": system, "script": script,
        })
    };
    let choose = |theme: &str| {
        format!(
            "(() => {{ const choice = document.getElementById('theme'); choice.value = '{theme}'; \
             choice.dispatchEvent(new Event('change')); return {DRAWN}; }})()"
        )
    };
    // One profile, a tab each: what one chose is what the next one finds.
    let jobs = [
        job("the system's light", false, DRAWN.to_owned()),
        job("the system's dark", true, DRAWN.to_owned()),
        job("dark chosen", false, choose("dark")),
        job("dark kept", false, DRAWN.to_owned()),
        job("light chosen", true, choose("light")),
        job("light kept", true, DRAWN.to_owned()),
        job("as the system again", true, choose("")),
        job("nothing kept", false, format!("{DRAWN} + ' ' + localStorage.length")),
    ];
    let axe = lab::axe();
    let answers = browsed(&jobs, axe.to_str().unwrap());
    let (light, dark) = ("rgb(251, 251, 250)", "rgb(17, 20, 24)");
    let wanted = [light, dark, dark, dark, light, light, dark, light];
    for (answer, wanted) in answers.iter().zip(wanted) {
        let drawn = answer["script"].as_str().unwrap();
        assert!(drawn.starts_with(wanted), "{answer}");
        let picture = if wanted == dark { "dark" } else { "light" };
        let other = if wanted == dark { "light" } else { "dark" };
        assert!(drawn.contains(picture) && !drawn.contains(other), "{answer}");
        assert_eq!(answer["violations"], json!([]), "{answer}");
        assert_eq!(answer["logged"], json!([]), "{answer}");
    }
    assert!(answers[7]["script"].as_str().unwrap().ends_with(" 0"), "{}", answers[7]);
}

#[test]
#[ignore = "lab: needs schemathesis"]
fn the_api_keeps_what_its_description_promises() {
    let served = Served::start(night(), &["--at", "2018-06-06T22:00Z"]);
    served.page("/");
    let url = format!("http://127.0.0.1:{}/api/openapi.json", served.port);
    let folder = tempfile::tempdir().unwrap();
    let refusals = "[checks]\nnegative_data_rejection.expected-statuses = [400, 404, 414, 431, 503]\n";
    std::fs::write(folder.path().join("schemathesis.toml"), refusals).unwrap();
    let mut command = lab::engine("schemathesis");
    // What its description allows is any text: times that cannot be are refused, rightly. And 503 is described: a slow machine
    // is late.
    command
        .args([
            "-m",
            "schemathesis.cli",
            "run",
            &url,
            "--phases",
            "examples,coverage,fuzzing",
        ])
        .args(["--max-examples", "25", "--continue-on-failure", "--seed", "7"])
        .args([
            "--exclude-checks",
            "positive_data_acceptance,not_a_server_error",
            "--suppress-health-check",
            "all",
        ])
        .args(["--request-timeout", "120", "--no-color", "--warnings", "off"])
        .current_dir(folder.path());
    let run = Run::of(command.output().expect("it starts"));
    assert_eq!(run.code, 0, "{}\n{}", run.out, run.err);
}
