//! `store reclassify`: rows with reasons of earlier versions are corrected here and on the server, by −1 and +1.

use super::Lab;
use super::schema::sql;
use mailpulse::model::time::UtcMs;
use mailpulse::store::Store;
use mailpulse::store::columnar::{StoredReply, reclassify};
use mailpulse::store::commit::put_in_place;
use mailpulse::store::segments::SegmentPart;
use serde_json::{Value, json};
use std::fs;

const LOG: &str = "\
2018-06-06 10:00:00 1fQXAC-000011-Cc <= shop@example.org H=app1.example.org [10.0.0.1] P=esmtp S=600 id=m1@app1.example.org
2018-06-06 10:00:03 1fQXAC-000011-Cc == jane@example.com R=dnslookup T=remote_smtp defer (-44) H=mx.example.com [203.0.113.1]: \
SMTP error from remote mail server after RCPT TO:<jane@example.com>: 451 4.7.1 Greylisted, try again later
2018-06-06 10:05:00 1fQXAH-000012-Dd <= shop@example.org H=app1.example.org [10.0.0.1] P=esmtp S=600 id=m2@app1.example.org
2018-06-06 10:05:03 1fQXAH-000012-Dd == joe@example.net R=smart_route T=remote_smtp H=relay2.example.org [10.0.1.2] \
defer (111): Connection refused
2018-06-06 10:07:00 1fQXAJ-000013-Ee <= shop@example.org H=app1.example.org [10.0.0.1] P=esmtp S=600 id=m3@app1.example.org
2018-06-06 10:07:02 1fQXAJ-000013-Ee ** jim@example.edu R=dnslookup T=remote_smtp H=mx.example.edu [203.0.113.9]: SMTP error from \
remote mail server after RCPT TO:<jim@example.edu>: 550 5.1.1 No such user
2018-06-06 10:07:02 1fQXAJ-000013-Ee Completed
";

const REASONS: &str =
    "SELECT kind, reason, COUNT(*) AS n FROM events WHERE reason <> '' GROUP BY kind, reason ORDER BY kind, reason";

impl Lab {
    /// All reasons as an earlier version's table had them.
    fn with_reasons(&self, reason_of: &dyn Fn(StoredReply<'_>) -> Option<&'static str>) {
        // As a program that sends: it posts what it rewrites.
        let mut store = Store::create_within(&self.place.path("store"), 1 << 30).unwrap();
        store.start_shipping(1 << 30).unwrap();
        for segment in store.segments().between(UtcMs::MIN, UtcMs::MAX).unwrap() {
            let judged = store.segments().read_part(&segment, SegmentPart::Events, |path| {
                reclassify(path, UtcMs::MIN..UtcMs::MAX, reason_of)
            });
            let encoded = judged
                .unwrap()
                .and_then(|judged| judged.segment)
                .expect("other reasons");
            put_in_place(&store, &segment, &encoded, |_| Ok(())).unwrap();
        }
    }

    /// Reasons are the same on both sides, wherever they are asked for.
    #[track_caller]
    fn assert_same_reasons(&self, expected: &Value) {
        self.assert_equal();
        assert_eq!(json!(self.here(&["--sql", REASONS])), *expected);
        assert_eq!(json!(self.there(&["--sql", REASONS])), *expected);
        let window = ["--since", "2018-06-06", "--until", "2018-06-07"];
        for query in ["deferral_reasons", "bounce_reasons"] {
            let args = [&[query][..], &window].concat();
            let here = self.here(&args);
            assert!(!here.is_empty(), "{query}");
            assert_eq!(here, self.there(&args), "{query}");
        }
    }

    /// How often senders did not reach a host, as the server has added it up.
    fn unreached(&self) -> String {
        let text = "SELECT toInt64(sum(times)) FROM mail.witnesses WHERE kind = 'deferred' FORMAT TSV";
        sql(self, text).trim().to_owned()
    }
}

#[test]
#[ignore = "lab: needs chdb"]
fn reasons_of_an_earlier_version_are_made_anew_here_and_there() {
    let lab = Lab::new();
    let config = fs::read_to_string(lab.place.path("mailpulse.toml")).unwrap();
    let keeps = config.replace("local_parts = \"keep\"", "local_parts = \"keep\"\nreplies = \"keep\"");
    lab.place.write("mailpulse.toml", keeps);
    let log = lab.place.write("mainlog", LOG);
    lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    lab.with_reasons(&|reply| Some(if reply.words.contains("550") { "routing" } else { "spam" }));
    lab.ship().ends(0);
    // As a host of an earlier version sent them: this one sends today's names.
    sql(
        &lab,
        "ALTER TABLE mail.events_log UPDATE reason = transform(toString(reason), ['content', 'no_such_user'], ['spam', 'routing'], \
         toString(reason)) WHERE 1 SETTINGS mutations_sync = 1",
    );
    assert_eq!(
        sql(
            &lab,
            "SELECT reason, count() FROM mail.events_log FINAL WHERE reason != '' GROUP BY reason ORDER BY reason FORMAT TSV"
        ),
        "routing\t1\nspam\t2\n",
        "the server has the old names"
    );
    lab.assert_same_reasons(&json!([
        { "kind": "bounced", "reason": "no_such_user", "n": 1 },
        { "kind": "deferred", "reason": "content", "n": 2 },
    ]));
    assert_eq!(lab.unreached(), "0");
    let dry = lab.run(&["store", "reclassify", "--dry-run"]).ends(0);
    assert!(
        dry.err.contains("2 rows of 3 whose words are kept would get"),
        "{}",
        dry.err
    );
    assert_eq!(lab.waiting().payloads, 0, "a dry run sends nothing");
    let run = lab.run(&["store", "reclassify", "--format", "csv"]).ends(0);
    assert_eq!(
        run.out,
        "from,to,rows\ncontent,connection_refused,1\ncontent,greylisted,1\n"
    );
    assert!(lab.waiting().payloads > 0);
    let shipped = lab.ship().ends(0);
    // Two rows are taken back, and two come in their place.
    assert!(shipped.out.starts_with("4 rows in "), "{}", shipped.out);
    lab.assert_same_reasons(&json!([
        { "kind": "bounced", "reason": "no_such_user", "n": 1 },
        { "kind": "deferred", "reason": "connection_refused", "n": 1 },
        { "kind": "deferred", "reason": "greylisted", "n": 1 },
    ]));
    assert_eq!(lab.unreached(), "1", "the roll-up of witnesses follows");
    lab.run(&["store", "reclassify"]).ends(0);
    assert_eq!(lab.waiting().payloads, 0, "a second run has nothing to send");
}
