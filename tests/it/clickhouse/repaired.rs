//! After the catalogue was lost: the server keeps its rows, or its database is empty; either way both have the same in the
//! end, and nothing twice.

use super::Lab;
use crate::logs::{cut, simulated};
use std::fs;

/// A store of which a part was sent, a part was corrected, and a part waits; then its catalogue is lost.
fn injured(lab: &Lab) -> Vec<(String, String)> {
    let log = simulated(1_200_000, 71);
    let (older, newer) = cut(&log, 0.5);
    let logs = [
        ("mx1", "mainlog", newer.to_vec()),
        ("mx1", "mainlog.1", older.to_vec()),
        ("mx2", "b", simulated(400_000, 72)),
    ];
    let logs: Vec<(String, String)> = logs
        .into_iter()
        .map(|(host, name, bytes)| {
            let path = lab.place.write(&format!("logs/{host}-{name}"), bytes);
            (host.to_owned(), path.to_str().unwrap().to_owned())
        })
        .collect();
    for (at, (host, path)) in logs.iter().enumerate() {
        lab.run(&["backfill", "-q", "--host", host, path]).ends(0);
        if at < 2 {
            lab.ship().ends(0);
        }
    }
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(lab.place.path(&format!("store/catalogue.sqlite{end}")));
    }
    lab.run(&["store", "repair"]).ends(0);
    logs
}

fn read_again(lab: &Lab, logs: &[(String, String)]) {
    for (host, path) in logs {
        lab.run(&["backfill", "-q", "--host", host, path]).ends(0);
    }
}

#[test]
#[ignore = "lab: needs chdb"]
fn a_server_that_keeps_its_rows_gets_what_it_lacks() {
    let lab = Lab::new();
    let logs = injured(&lab);
    lab.ship().ends(2).says(&["--keep-sent", "--anew"]);
    let early = lab.run(&["store", "ship", "--once", "--keep-sent"]).ends(2);
    assert!(early.err.contains("have not been read again"), "{}", early.err);
    read_again(&lab, &logs);
    let run = lab.run(&["store", "ship", "--once", "--keep-sent"]).ends(0);
    assert!(run.out.contains("compared: "), "{}", run.out);
    lab.assert_equal();
    let again = lab.run(&["store", "ship", "--once", "--keep-sent"]).ends(0);
    assert!(again.out.contains("nothing to decide"), "{}", again.out);
    // Sending goes on as before.
    let more = lab.place.write("logs/more", simulated(200_000, 73));
    lab.run(&["backfill", "-q", "--host", "mx2", more.to_str().unwrap()])
        .ends(0);
    lab.ship().ends(0);
    lab.assert_equal();
}

#[test]
#[ignore = "lab: needs chdb"]
fn an_answer_that_is_lost_while_comparing_doubles_nothing() {
    let mut lab = Lab::new();
    let logs = injured(&lab);
    read_again(&lab, &logs);
    for fault in ["lose-answer", "die-after"] {
        lab.server.fault(fault);
        lab.run(&["store", "ship", "--once", "--keep-sent"]).ends(2);
        if fault.starts_with("die") {
            lab.server.again();
        }
    }
    lab.run(&["store", "ship", "--once", "--keep-sent"]).ends(0);
    lab.assert_equal();
}

#[test]
#[ignore = "lab: needs chdb"]
fn an_empty_database_gets_everything_anew() {
    let lab = Lab::new();
    let logs = injured(&lab);
    read_again(&lab, &logs);
    let config = fs::read_to_string(lab.place.path("mailpulse.toml")).unwrap();
    lab.place.write("mailpulse.toml", config.replace("/mail\"", "/fresh\""));
    lab.run(&["store", "migrate"]).ends(0);
    lab.run(&["store", "ship", "--once", "--anew"]).ends(0);
    let fresh = format!("{}fresh", lab.server.url().strip_suffix("mail").unwrap());
    for sql in [
        "SELECT event_id, service, kind, first_hop FROM events ORDER BY event_id, kind",
        "SELECT ts_ms, host, lines, events FROM sources WHERE lines > 0 ORDER BY ts_ms, host",
    ] {
        let there = lab
            .run(&["--store", &fresh, "query", "--sql", sql, "--format", "json"])
            .ends(0);
        let there: Vec<serde_json::Value> = serde_json::from_str(&there.out).unwrap();
        crate::util::assert_same_answers(&lab.here(&["--sql", sql]), &there);
    }
}
