//! The schema, and mistakes of the place.

use super::{Lab, PASSWORD, Server};
use crate::logs::simulated;
use crate::util::{Place, Run};
use std::fs;

/// What the server answers to a statement.
pub(super) fn sql(lab: &Lab, text: &str) -> String {
    let http = format!("http://127.0.0.1:{}/", lab.server.port);
    let answer = ureq::post(&http)
        .header("X-ClickHouse-User", "mailpulse")
        .header("X-ClickHouse-Key", PASSWORD)
        .send(text);
    let mut answer = answer.unwrap();
    assert_eq!(answer.status(), 200);
    answer.body_mut().read_to_string().unwrap()
}

#[test]
#[ignore = "lab: needs chdb"]
fn the_schema_is_made_once_and_a_foreign_one_is_left_alone() {
    let place = Place::new();
    let server = Server::start(place.path("server"));
    let lab = Lab { place, server };
    lab.configure("");
    let early = lab.ship();
    assert_eq!(early.code, 2, "no store yet: {}", early.err);
    let log = lab.place.write("mainlog", simulated(300_000, 15));
    lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    let run = lab.ship().ends(2);
    assert!(run.err.contains("mailpulse store migrate"), "{}", run.err);
    let dry = lab.run(&["store", "migrate", "--dry-run"]).ends(0);
    assert!(
        dry.out.contains("CREATE TABLE IF NOT EXISTS mail.events_log") && dry.out.contains("to be applied"),
        "{}",
        dry.out
    );
    let cluster = lab.run(&["store", "migrate", "--dry-run", "--cluster", "main"]).ends(0);
    for word in [
        "ReplicatedCollapsingMergeTree",
        "ON CLUSTER 'main'",
        "Distributed('main', 'mail', 'events_log'",
        "FROM mail.all_events_log",
    ] {
        assert!(cluster.out.contains(word), "{word}: {}", cluster.out);
    }
    // There is no Keeper here to make them, but the engine reads each of them as SQL.
    let statements: Vec<&str> = cluster
        .out
        .split("\n\n")
        .filter(|part| part.contains("ON CLUSTER"))
        .collect();
    assert!(statements.len() >= 10, "{}", cluster.out);
    for statement in statements {
        let end = statement.rfind(';').unwrap();
        let start = statement.find(|c: char| c.is_ascii_uppercase()).unwrap();
        let text = statement[start..end].replace('\\', "\\\\").replace('\'', "\\'");
        let form = sql(&lab, &format!("SELECT formatQuerySingleLine('{text}')"));
        assert!(form.contains("ON CLUSTER"), "{form}");
    }
    assert!(
        lab.run(&["store", "migrate"])
            .ends(0)
            .out
            .contains("001_events: applied")
    );
    assert!(
        lab.run(&["store", "migrate"])
            .ends(0)
            .out
            .contains("001_events: is there")
    );
    lab.ship().ends(0);
    lab.assert_equal();
    // The window was switched off by somebody: a lost answer would count twice.
    sql(
        &lab,
        "ALTER TABLE mail.events_log MODIFY SETTING non_replicated_deduplication_window = 0",
    );
    lab.place.write("mainlog", simulated(400_000, 16));
    lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    let run = lab.ship().ends(2);
    assert!(
        run.err.contains("deduplication window") && run.err.contains("MODIFY SETTING"),
        "{}",
        run.err
    );
    sql(
        &lab,
        "ALTER TABLE mail.events_log MODIFY SETTING non_replicated_deduplication_window = 10000",
    );
    lab.ship().ends(0);
    // Applied by a newer program; applied with another text; made by somebody else.
    sql(
        &lab,
        "INSERT INTO mail.schema_migrations (name, hash) VALUES ('099_later', 'x')",
    );
    assert!(
        lab.run(&["store", "migrate"])
            .ends(2)
            .err
            .contains("099_later is newer than this program")
    );
    sql(&lab, "CREATE DATABASE other");
    sql(
        &lab,
        "CREATE TABLE other.events (a Int64) ENGINE = MergeTree ORDER BY a",
    );
    let other = format!("{}other", lab.server.url().strip_suffix("mail").unwrap());
    let run = lab.run(&["--store", &other, "store", "migrate"]).ends(2);
    assert!(run.err.contains("did not create the table other.events"), "{}", run.err);
}

#[test]
#[ignore = "lab: needs chdb"]
fn reasons_of_earlier_versions_are_read_under_todays_names() {
    let lab = Lab::new();
    let stored = ["spam", "size", "auth", "routing", "timeout", ""];
    let rows: Vec<String> = (1..)
        .zip(stored)
        .map(|(at, reason)| format!("('l', {at}, {at}, 'deferred', '{reason}')"))
        .collect();
    sql(
        &lab,
        &format!(
            "INSERT INTO mail.events_log (log, log_offset, ts_ms, kind, reason) VALUES {}",
            rows.join(", ")
        ),
    );
    let rows = lab.there(&[
        "--sql",
        "SELECT reason, provider_code FROM events WHERE kind = 'deferred' ORDER BY log_offset",
    ]);
    let read: Vec<_> = rows.iter().map(|row| row["reason"].as_str().unwrap()).collect();
    assert_eq!(
        read,
        ["content", "message_too_big", "smtp_auth", "no_such_user", "timeout", ""]
    );
    let found = lab.there(&["--sql", "SELECT COUNT(*) AS n FROM events WHERE reason = 'content'"]);
    assert_eq!((&found[0]["n"], &rows[0]["provider_code"]), (&1.into(), &"".into()));
}

#[test]
#[ignore = "lab: needs chdb"]
fn mistakes_of_the_place_are_told_with_their_cure() {
    let lab = Lab::new();
    let url = lab.server.url();
    let run = Run::of(
        lab.place
            .command()
            .args(["--store", &url, "query", "top_services"])
            .env("MAILPULSE_CLICKHOUSE_PASSWORD", "wrong")
            .output()
            .unwrap(),
    )
    .ends(2);
    assert!(
        run.err.contains("MAILPULSE_CLICKHOUSE_PASSWORD") && !run.err.contains("wrong"),
        "{}",
        run.err
    );
    let run = lab
        .run(&[
            "--store",
            &format!("{}nowhere", url.strip_suffix("mail").unwrap()),
            "query",
            "top_services",
        ])
        .ends(2);
    assert!(run.err.contains("mailpulse store migrate"), "{}", run.err);
    let run = lab
        .run(&["--store", "clickhouse://127.0.0.1:1/mail", "query", "top_services"])
        .ends(2);
    assert!(run.err.contains("that the server is running"), "{}", run.err);
    // TLS to a port that speaks none.
    let run = lab
        .run(&[
            "--store",
            &url.replace("clickhouse:", "clickhouses:"),
            "query",
            "top_services",
        ])
        .ends(2);
    assert!(run.err.contains("clickhouses://"), "{}", run.err);
    let run = lab.run(&["--store", &url, "store", "verify"]).ends(2);
    assert!(run.err.contains("needs an embedded store"), "{}", run.err);
    let run = lab
        .run(&["--store", &url, "query", "--sql", "SELECT * FROM system.users"])
        .ends(2);
    assert!(run.err.contains("system"), "{}", run.err);
}

#[test]
#[ignore = "lab: needs chdb and openssl"]
fn a_certificate_that_nobody_vouches_for_is_refused_and_a_known_one_is_not() {
    let place = Place::new();
    let (key, cert) = (place.path("key.pem"), place.path("cert.pem"));
    let made = crate::lab::program("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args([
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let both = [fs::read(&cert).unwrap(), fs::read(&key).unwrap()].concat();
    let pem = place.write("both.pem", both);
    let server = Server::with(place.path("server"), 0, &["--tls", pem.to_str().unwrap()]);
    let url = format!("clickhouses://mailpulse@localhost:{}/mail", server.port);
    let migrate = |roots: &str| {
        let mut command = place.command();
        command.args(["--store", &url, "store", "migrate"]);
        command
            .env("MAILPULSE_CLICKHOUSE_PASSWORD", PASSWORD)
            .env("SSL_CERT_FILE", roots);
        Run::of(command.output().unwrap())
    };
    let run = migrate("/etc/ssl/certs/ca-certificates.crt").ends(2);
    assert!(
        run.err.contains("certificate") && run.err.contains("clickhouses://"),
        "{}",
        run.err
    );
    assert!(migrate(cert.to_str().unwrap()).ends(0).out.contains("applied"));
}
