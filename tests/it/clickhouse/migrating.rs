//! `store migrate`, cut at every statement, and by several hosts at once.

use super::{Lab, Server};
use crate::logs::simulated;
use crate::util::{Place, Run};
use std::fs;
use std::process::Stdio;

impl Lab {
    /// A server of its own without a schema.
    pub(super) fn bare() -> Lab {
        let place = Place::new();
        let server = Server::start(place.path("server"));
        let lab = Lab { place, server };
        lab.configure("");
        lab
    }

    fn migrate(&self, database: &str) -> Run {
        let url = format!("{}{database}", self.server.url().strip_suffix("mail").unwrap());
        self.run(&["--store", &url, "store", "migrate"])
    }

    /// All migrations are noted, and what is sent has its rates.
    fn assert_whole(&self) {
        let again = self.run(&["store", "migrate"]).ends(0);
        for name in ["001_events", "002_rates", "003_sources"] {
            assert!(again.out.contains(&format!("{name}: is there")), "{}", again.out);
        }
        let log = self.place.write("mainlog", simulated(200_000, 72));
        self.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
            .ends(0);
        self.ship().ends(0);
        self.assert_equal();
    }
}

#[test]
#[ignore = "lab: needs chdb"]
fn cut_after_any_statement_it_goes_on_where_it_was() {
    let lab = Lab::bare();
    let mut cut = 0;
    loop {
        let database = format!("cut_{cut}");
        fs::write(lab.server.folder.join("faults/cut"), format!("{}", cut + 1)).unwrap();
        let first = lab.migrate(&database);
        if fs::remove_file(lab.server.folder.join("faults/cut")).is_ok() {
            // It has fewer statements than that.
            first.ends(0);
            break;
        }
        assert_eq!(
            first.code,
            2,
            "cut after statement {}: {}{}",
            cut + 1,
            first.out,
            first.err
        );
        let second = lab.migrate(&database).ends(0);
        // Only what the server refuses is left out, never what was cut.
        let left_out = second.out.lines().filter(|line| line.contains("left out"));
        assert!(
            left_out.clone().all(|line| line.contains("ACCESS_DENIED")),
            "{}",
            second.out
        );
        let third = lab.migrate(&database).ends(0);
        for name in ["001_events", "002_rates", "003_sources"] {
            assert!(third.out.contains(&format!("{name}: is there")), "{}", third.out);
        }
        cut += 1;
    }
    eprintln!("a migration of {cut} statements, cut after each, and taken up again");
    assert!(cut >= 12, "{cut} statements");
    // One that was cut three times in a row takes rows like any other.
    for at in ["3", "4", "5"] {
        fs::write(lab.server.folder.join("faults/cut"), at).unwrap();
        lab.run(&["store", "migrate"]).ends(2);
    }
    let early = lab.run(&["store", "migrate", "--dry-run"]).ends(0);
    assert!(early.out.contains("to be applied"), "{}", early.out);
    lab.run(&["store", "migrate"]).ends(0);
    lab.assert_whole();
}

#[test]
#[ignore = "lab: needs chdb"]
fn hosts_that_migrate_at_once_all_end_well() {
    let lab = Lab::bare();
    let children: Vec<_> = (0..4)
        .map(|_| {
            let mut command = lab.command(&["store", "migrate"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        Run::of(child.wait_with_output().unwrap()).ends(0);
    }
    lab.assert_whole();
}

#[test]
#[ignore = "lab: needs chdb"]
fn a_foreign_table_in_its_way_is_named_and_left_alone() {
    let lab = Lab::bare();
    let http = format!("http://127.0.0.1:{}/", lab.server.port);
    let sql = |text: &str| {
        let asked = ureq::post(&http).header("X-ClickHouse-User", "mailpulse");
        asked.header("X-ClickHouse-Key", super::PASSWORD).send(text).unwrap();
    };
    // Made after a migration began, so that its beginning says nothing of it.
    fs::write(lab.server.folder.join("faults/cut"), "2").unwrap();
    lab.run(&["store", "migrate"]).ends(2);
    sql("CREATE TABLE mail.rates_minute (a Int64) ENGINE = MergeTree ORDER BY a");
    let run = lab.run(&["store", "migrate"]).ends(2);
    assert!(run.err.contains("mail.rates_minute has no column ts_ms"), "{}", run.err);
    // Another tool's table of migrations.
    sql("CREATE DATABASE golang");
    sql("CREATE TABLE golang.schema_migrations (version Int64, dirty UInt8, sequence UInt64) ENGINE = TinyLog");
    let run = lab.migrate("golang").ends(2);
    assert!(
        run.err.contains("golang.schema_migrations belongs to another tool"),
        "{}",
        run.err
    );
}
