//! Questions: the same answers from a server as from a folder.

use super::Lab;
use super::schema::sql;
use crate::util::{Place, Run};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Logs of two relays and the applications: a small copy of the outage, hosts handing mail to each other.
fn outage(place: &Place) -> PathBuf {
    let to = place.path("outage");
    let run = Run::of(
        Command::new(crate::util::PROGRAM)
            .args([
                "simulate",
                "--history-days",
                "2",
                "--scale",
                "0.05",
                "--seed",
                "3",
                "--outage",
            ])
            .arg(&to)
            .output()
            .unwrap(),
    );
    run.ends(0);
    to
}

impl Lab {
    /// What `trace` asks is answered by an index that leaves out rows.
    #[track_caller]
    fn assert_indexed(&self, condition: &str) {
        let plan = sql(
            self,
            &format!("EXPLAIN indexes = 1 SELECT * FROM mail.events WHERE {condition} FORMAT TSVRaw"),
        );
        assert!(
            plan.contains("Skip") && plan.contains("Name: by_"),
            "{condition}: {plan}"
        );
    }

    /// Every command that asks answers the same from the server as from the folder.
    fn assert_same_answers(&self, window: &[&str]) {
        let questions: [&[&str]; 7] = [
            &["services"],
            &["services", "--hostgroups"],
            &["services", "discover"],
            &["routes", "--format", "json"],
            &["detect", "--format", "json"],
            &["incident", "--format", "markdown"],
            &["incident", "--format", "json"],
        ];
        let url = self.server.url();
        for question in questions {
            let args = [question, window].concat();
            let (here, there) = (self.run(&args), self.run(&[&args[..], &["--store", &url]].concat()));
            assert_eq!(here.code, there.code, "{question:?}: {} {}", here.err, there.err);
            assert!(here.out.len() > 100, "{question:?} answers {}", here.out);
            assert_eq!(here.out, there.out, "{question:?}");
        }
        let asked =
            "SELECT queue_id FROM events WHERE kind = 'delivered' AND destination = 'remote' ORDER BY ts_ms LIMIT 1";
        let rows = self.run(&["query", "--sql", asked, "--format", "json"]).ends(0).out;
        let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
        let args = ["trace", rows[0]["queue_id"].as_str().unwrap(), "--format", "json"];
        let here = self.run(&args).ends(0).out;
        assert!(here.contains("\"delivered\""), "{here}");
        assert_eq!(here, self.run(&[&args[..], &["--store", &url]].concat()).ends(0).out);
        self.assert_indexed("queue_id = '1fQXAB-000001-Aa'");
        self.assert_indexed("message_key = 12345");
        self.assert_indexed("lower(recipient_domain) = 'example.org' AND recipient_local = 'nobody'");
        self.assert_indexed("lower(sender_domain) = 'example.org' AND sender_local = 'nobody'");
        for at in ["2018-06-06T20:00Z", "2018-06-07T02:30Z"] {
            let args = ["queue", "--at", at, "--format", "json"];
            let here = self.run(&args).ends(0).out;
            assert!(here.contains("\"service\""), "{at}: {here}");
            assert_eq!(here, self.run(&[&args[..], &["--store", &url]].concat()).ends(0).out);
        }
        let status = |more: &[&str]| -> Vec<Value> {
            let asked = self.run(&[&["status", "--format", "json"][..], more].concat()).ends(0);
            let answer: Value = serde_json::from_str(&asked.out).unwrap();
            answer["sources"].as_array().unwrap().clone()
        };
        let rows = |status: &[Value]| -> Vec<String> {
            let keys = ["host", "source", "lines", "events", "ignored", "unparsed"];
            let part = |row: &Value| keys.map(|key| row[key].to_string()).join(" ");
            status.iter().map(part).collect()
        };
        let (here, there) = (status(&[]), status(&["--store", &url]));
        assert!(here.len() >= 2);
        assert_eq!(rows(&here), rows(&there));
        let nagios = self
            .run(&["status", "--nagios", "--stale-after", "99999d", "--store", &url])
            .ends(0);
        assert!(nagios.out.starts_with("MAILPULSE OK"), "{}", nagios.out);
        // What was told of a server is kept apart from what was told of the folder.
        let watched = self.run(&["watch", "--once", "--store", &url]);
        assert!([0, 1].contains(&watched.code), "{}", watched.err);
        assert!(self.place.path("store/alerts-127.0.0.1-mail.json").exists());
    }
}

/// The outage in a store and on a server.
pub(super) fn sent() -> Lab {
    let lab = Lab::new();
    let logs = outage(&lab.place);
    let config = fs::read_to_string(logs.join("mailpulse.toml")).unwrap();
    let rest = config
        .split_once("\n[[")
        .map(|(_, rest)| format!("[[{rest}"))
        .expect("sources");
    let rest = rest.replace("paths = [\"", &format!("paths = [\"{}/", logs.display()));
    lab.configure(&rest);
    lab.run(&["backfill", "-q"]).ends(0);
    let shipped = lab.ship().ends(0);
    eprintln!("{}", shipped.out);
    lab
}

#[test]
#[ignore = "lab: needs chdb"]
fn every_named_query_has_the_same_rows_on_both_engines() {
    let lab = sent();
    lab.assert_equal();
    let window = ["--since", "2018-06-06T12:00Z", "--until", "2018-06-07T06:00Z"];
    let list = lab.here(&["--list"]);
    assert!(list.len() >= 12);
    for query in list.iter().map(|row| row["query"].as_str().unwrap()) {
        let args = [&[query][..], &window].concat();
        let (here, there) = (lab.here(&args), lab.there(&args));
        assert!(!here.is_empty(), "{query} answers nothing");
        assert_eq!(here, there, "{query}");
    }
    for by in ["service", "hostgroup", "relay", "kind"] {
        let draw = |store: &[&str], name: &str| {
            let out = lab.place.path(name);
            let args = ["graph", "--by", by, "--out", out.to_str().unwrap()];
            lab.run(&[store, &args, &window].concat()).ends(0);
            fs::read_to_string(out).unwrap()
        };
        let here = draw(&[], "here.svg");
        assert!(here.contains("<path"), "{here}");
        assert!(
            here == draw(&["--store", &lab.server.url()], "there.svg"),
            "the graphs by {by} differ"
        );
    }
    for by in ["service", "relay"] {
        let draw = |store: &[&str], name: &str| {
            let out = lab.place.path(name);
            let args = [
                "graph",
                "--measure",
                "backlog",
                "--by",
                by,
                "--out",
                out.to_str().unwrap(),
            ];
            lab.run(&[store, &args, &window].concat()).ends(0);
            fs::read_to_string(out).unwrap()
        };
        let here = draw(&[], "here.svg");
        assert!(here.contains("<path") && here.contains("mail in the queues"), "{here}");
        assert!(
            here == draw(&["--store", &lab.server.url()], "there.svg"),
            "the graphs of the backlog by {by} differ"
        );
    }
    lab.assert_same_answers(&window);
}
