//! SQL of a user's own: the same answers from a server as from a folder, and a server's own words.

/// Answered equally by both, sorted by all that they show.
const BOTH: [&str; 20] = [
    "SELECT COUNT(*), min(ts), max(ts_ms) FROM events",
    "SELECT COUNT(*) FROM events WHERE ts > '2018-06-06 18:55'",
    "SELECT COUNT(*) FROM events WHERE ts >= '2018-06-06'",
    "SELECT COUNT(*) FROM events WHERE ts < '2018-06-06T20:55:00+02:00'",
    "SELECT COUNT(*) FROM events WHERE ts = '2018-06-06T18:55:00Z' OR ts_ms >= '2018-06-06 20:00:00'",
    "SELECT COUNT(*) FROM events WHERE ts BETWEEN '2018-06-06 18:00' AND '2018-06-06 19:00'",
    "SELECT COUNT(*) FROM events WHERE ts > TIMESTAMP '2018-06-06 18:55:00' - INTERVAL '1 hour'",
    "SELECT COUNT(*) FROM rates WHERE ts_ms IN ('2018-06-06 18:00', '2018-06-06 12:00')",
    "SELECT service, MAX(ts) AS last FROM events GROUP BY service HAVING MAX(ts) > '2018-06-06 19:00' ORDER BY service",
    "SELECT service, SUM(messages) AS n FROM rates GROUP BY service ORDER BY SUM(messages) DESC, service",
    "SELECT SUM(messages) AS n FROM (SELECT * FROM rates UNION ALL SELECT * FROM rates) AS u",
    "SELECT kind FROM events EXCEPT SELECT kind FROM rates WHERE kind = 'delivered' ORDER BY kind",
    "SELECT service FROM events INTERSECT SELECT service FROM rates WHERE kind = 'delivered' ORDER BY service",
    "SELECT relay FROM events UNION SELECT relay FROM rates ORDER BY relay",
    "SELECT COUNT(*) AS n FROM (SELECT DISTINCT service FROM events) a, (SELECT DISTINCT relay FROM rates) b",
    "SELECT COUNT(*) AS n FROM events WHERE service = 'FROM events, from rates' OR service = 'a\\b' OR service = 'it''s'",
    "SELECT SUM(messages) AS n, MIN(ts_ms) AS first FROM rates WHERE kind = 'nosuch'",
    "SELECT smtp_code, COUNT(*) AS n FROM events GROUP BY smtp_code ORDER BY smtp_code DESC",
    "SELECT COUNT(*) AS n FROM events WHERE bytes > 1e3",
    "SELECT a.service, b.n FROM (SELECT DISTINCT service FROM events) a LEFT JOIN (SELECT service, COUNT(*) AS n FROM rates WHERE kind = 'bounced' GROUP BY service) b ON a.service = b.service ORDER BY a.service",
];

/// Only the server answers these.
const THERE: [&str; 4] = [
    "SELECT toStartOfHour(fromUnixTimestamp64Milli(ts_ms)) AS hour, count() AS n FROM events GROUP BY hour ORDER BY hour",
    "SELECT ts_ms, sum(messages) OVER (ORDER BY ts_ms) AS running FROM rates ORDER BY ts_ms LIMIT 3",
    "SELECT uniqExact(service) AS services, countIf(kind = 'accepted') AS accepted FROM events",
    "SELECT kind, service, count() AS n FROM events GROUP BY kind, service ORDER BY kind, n DESC, service LIMIT 1 BY kind",
];

#[test]
#[ignore = "lab: needs chdb"]
fn sql_has_the_same_answers_from_a_server_as_from_a_folder() {
    let lab = super::questions::sent();
    let mut different = Vec::new();
    for sql in BOTH {
        let (here, there) = (lab.here(&["--sql", sql]), lab.there(&["--sql", sql]));
        if here != there || here.is_empty() {
            different.push(format!("{sql}\n  here {here:?}\n  there {there:?}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    for sql in THERE {
        assert!(!lab.there(&["--sql", sql]).is_empty(), "{sql}");
    }
    let window = ["--since", "2018-06-06T18:00Z", "--until", "2018-06-06T19:00Z"];
    let sql = "SELECT COUNT(*) AS n, MIN(ts) AS first FROM events e WHERE e.kind <> 'FROM events'";
    let ask = [&["--sql", sql], &window[..]].concat();
    assert_eq!(lab.here(&ask), lab.there(&ask));
    let url = lab.server.url();
    for (sql, words) in [
        ("SELECT COUNT(*) FROM events WHERE ts > 'yesterday'", "is no time"),
        ("SELECT COUNT(*) FROM events WHERE ts > now()", "milliseconds"),
        ("SELECT * FROM system.users", "no table `system.users`"),
        ("SELECT file('/etc/passwd') FROM events", "reads files"),
        ("SELECT nosuch FROM events", "nosuch"),
    ] {
        let run = lab
            .run(&["--store", &url, "query", "--sql", sql])
            .ends(2)
            .says(&[words]);
        assert_eq!(run.err.trim_end().lines().count(), 1, "{}", run.err);
    }
}
