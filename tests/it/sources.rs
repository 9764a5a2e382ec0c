//! Sources that the configuration describes, and logs of every kind on the command line: `parse`, `check`,
//! `backfill --kind`, `services discover`.

use crate::logs::{root, text};
use crate::util::{KEEP, Place, Run};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

/// An example of `examples/`, with each source's sample at a path of its own: `paths` are rewritten.
fn example(name: &str) -> Place {
    let toml = fs::read_to_string(root().join(format!("examples/{name}.toml"))).unwrap();
    let mut number = 0;
    let lines = toml.lines().map(|line| {
        if line.starts_with("paths = ") {
            number += 1;
            format!("paths = [\"logs/{name}-{number}.log\"]")
        } else {
            line.replace("file:///var/lib/mailpulse", "store")
        }
    });
    let config: Vec<String> = lines.collect();
    let place = Place::with(&config.join("\n"));
    let samples = root().join("parsers/corpus/app/examples");
    for at in 1..=number {
        let sample = if number == 1 {
            format!("{name}.log")
        } else {
            format!("{name}-{at}.log")
        };
        let content = fs::read(samples.join(sample)).unwrap();
        place.write(&format!("logs/{name}-{at}.log"), content);
    }
    place
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn every_example_reads_its_sample() {
    // Submitted and failed mails, and attempts that failed: by the samples' `.expected`, but retries of one key are one.
    for (name, service, submitted, failed, attempts) in [
        ("django", "shop", 1, 4, 5),
        ("gitlab", "gitlab", 1, 3, 3),
        ("mailman", "lists", 1, 4, 4),
        ("php-mailer", "crm", 1, 4, 4),
        ("rails", "forum", 1, 4, 5),
        ("spring", "billing", 0, 3, 3),
    ] {
        let place = example(name);
        let run = place.run(&["backfill"]).ends(0);
        assert_eq!(run.totals().unparsed, 0, "{name}: {}", run.out);
        let count = |kind: &str, what: &str| {
            place.number(&format!(
                "SELECT {what} AS n FROM events WHERE kind = '{kind}' AND service = '{service}'"
            ))
        };
        let all = (
            count("submitted", "SUM(messages)"),
            count("submit_failed", "SUM(messages)"),
            count("submit_failed", "COUNT(*)"),
        );
        assert_eq!(all, (submitted, failed, attempts), "{name}");
        assert_eq!(
            place.events(),
            submitted + attempts,
            "{name}: all events have the source's service"
        );
        assert_eq!(
            place.run(&["backfill"]).ends(0).totals().lines,
            0,
            "{name}: a second run adds nothing"
        );
    }
}

#[test]
fn check_is_content_with_the_examples() {
    for name in ["mailman", "gitlab", "php-mailer", "spring"] {
        let run = example(name).run(&["check"]).ends(0);
        assert_eq!(run.err, "", "{name}");
    }
}

const PATTERN: &str = r#"
[[source]]
kind = "pattern"
paths = ["app.log"]
service = "shop"

[[source.template]]
outcome = "submitted"
text = "{time:%Y-%m-%d %H:%M:%S} mail {_}"

[[source.template]]
outcome = "failed"
text = "{time:%Y-%m-%d %H:%M:%S} mail to {recipient} failed: {reason}"

[[source.template]]
outcome = "failed"
text = "{time:%Y-%m-%d %H:%M:%S} never: {reason}"
"#;

#[test]
fn check_tells_templates_that_match_nothing_or_contradict() {
    let place = Place::with(&format!("{KEEP}{PATTERN}"));
    place.write(
        "app.log",
        "2018-06-06 19:00:00 started\n  more\n2018-06-06 19:00:01 mail to a@x.org failed: no\n2018-06-99 19:00:01 x\n",
    );
    let run = place.run(&["check"]).ends(0).says(&[
        "template 2 matches nothing in 3 records of 1 file",
        "template 3 matches nothing",
        "ambiguous: ",
        "app.log:3 matches template 1 and template 2, whose outcomes differ",
        "1 of 3 records in",
        "mailpulse.toml:9: ",
    ]);
    assert!(!run.err.contains("template 1 matches nothing"), "{}", run.err);
}

const JSON: &str = r#"
[[source]]
kind = "json"
paths = ["app.json"]
service = "shop"
submitted_when = [{ event = "sent" }]
failed_when = [{ event = "failed" }, { event = "lost", "error.kind" = { contains = "smtp" } }]
retried_when = [{ again = { equals = "true" } }]
fields = { time = "t", key = "id", reason = "error.text" }
"#;

#[test]
fn check_tells_a_mapping_that_never_matches() {
    let place = Place::with(&format!("{KEEP}{}", JSON.replace("time = \"t\"", "time = \"at\"")));
    place.write(
        "app.json",
        "{\"t\":\"2018-06-06T19:00:00Z\",\"event\":\"failed\",\"id\":\"1\"}\n",
    );
    let run = place.run(&["check"]).ends(0).says(&[
        "no record has a time in 1 records",
        "condition 2 of `failed_when` never decides",
        "condition 1 of `submitted_when` never decides",
    ]);
    assert!(!run.err.contains("condition 1 of `failed_when`"), "{}", run.err);
}

#[test]
fn check_tells_a_file_of_another_kind() {
    let place = Place::with(&format!(
        "{KEEP}[[source]]\nkind = \"postfix\"\npaths = [\"oozie.log\"]\n[[source]]\nkind = \"exim\"\npaths = [\"mail.log\"]\n"
    ));
    let oozie = "2018-06-06 19:02:11,123  WARN EmailActionExecutor:523 - SERVER[an-coord1001] USER[a] x\n";
    place.write("oozie.log", oozie.repeat(3));
    place.write("mail.log", POSTFIX);
    let words = [
        "not a log of kind postfix: it looks like an Oozie log",
        "`kind = \"oozie\"`",
        "not a log of kind exim: it looks like a Postfix log",
        "`kind = \"postfix\"`",
    ];
    let run = place.run(&["check"]).ends(0).says(&words);
    assert!(!run.err.contains("stored"), "{}", run.err);
    place
        .run(&["backfill"])
        .ends(2)
        .says(&words)
        .says(&["Nothing of it was stored"]);
}

#[test]
fn a_broken_line_of_json_costs_itself_only() {
    let place = Place::with(&format!("{KEEP}{JSON}"));
    let log = place.write(
        "app.json",
        b"{\"t\":\"2018-06-06T19:00:00Z\",\"event\":\"sent\",\"id\":\"1\"}\n\
          {\"t\":\"2018-06-06T19:00:01Z\",\"event\":\"fai\n\
          {\"t\":\"2018-06-06T19:00:02Z\",\"event\":\"failed\",\"id\":\"2\",\"again\":true,\"error\":{\"text\":\"\xff\xfe\"}}\n\
          {\"t\":\"2018-06-06T19:00:03Z\",\"event\":\"lost\",\"id\":\"3\",\"error\":{\"kind\":\"smtp\",\"text\":\"450 4.2.0 later\"}}\n"
            .as_slice(),
    );
    let run = place.run(&["backfill"]).ends(0);
    let totals = run.totals();
    assert_eq!((totals.lines, totals.events, totals.unparsed), (4, 3, 1), "{}", run.out);
    let objects = parsed(&place.run(&["parse", "--explain", text(&log)]).ends(0));
    assert_eq!(objects[0]["explain"]["matched"]["submitted_when"], 1);
    assert_eq!(objects[1]["status"], "unparsed");
    assert!(objects[1]["offset"].as_u64().unwrap() > 20, "{}", objects[1]);
    assert_eq!(objects[2]["will_retry"], true);
    assert_eq!(objects[3]["explain"]["matched"]["failed_when"], 2);
    assert_eq!(objects[3]["smtp_code"], 450);
    assert_eq!(objects[3]["explain"]["service_is"]["from"], "the source's `service`");
}

#[test]
fn mixed_encodings_are_text_or_told() {
    let place = Place::with(&format!("{KEEP}{PATTERN}"));
    let log = place.write(
        "app.log",
        b"2018-06-06 19:00:00 mail to a@x.org failed: bo\xeete pleine\r\n\
          2018-06-06 19:00:01 never: bo\xc3\xaete \x1b[31mpleine\n\
          2018-06-06 19:00:02 end\n"
            .as_slice(),
    );
    let run = place.run(&["parse", text(&log)]).ends(0);
    let objects = parsed(&run);
    assert_eq!(
        objects[1]["text"].as_str().map(|text| text.contains("bo\u{ee}te")),
        Some(true),
        "{}",
        objects[1]
    );
    assert!(!run.out.contains('\u{1b}'), "no escape reaches the terminal");
    place.run(&["backfill"]).ends(0);
    assert_eq!(place.events(), 2);
    let wide: Vec<u8> = "2018-06-06 19:00:00 mail x\n"
        .repeat(9)
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let other = Place::with(&format!("{KEEP}{PATTERN}"));
    other.write("app.log", wide);
    let words = ["app.log", "not a log of kind pattern"];
    other.run(&["check"]).ends(0).says(&words);
    other.run(&["backfill"]).ends(2).says(&words);
    assert!(!other.path("store/segments").exists() || other.events() == 0);
}

#[test]
fn a_wrong_description_is_an_error_with_its_place() {
    let place = Place::with(&format!(
        "{KEEP}{}",
        PATTERN.replace("never: {reason}", "never: {reson}")
    ));
    let log = place.write("app.log", "2018-06-06 19:00:00 mail x\n");
    for args in [vec!["check"], vec!["backfill"], vec!["parse", text(&log)]] {
        place
            .run(&args)
            .ends(2)
            .says(&["mailpulse.toml:24:42: template 3: `reson` is not a name", "`reason`"]);
    }
    let place = Place::with(&format!(
        "{KEEP}[[hostgroup]]\nname = \"db\"\ninventory = \"hosts.json\"\n"
    ));
    place.write("hosts.json", "{\"mx\": [\"mx1\"]}");
    place
        .run(&["check"])
        .ends(2)
        .says(&["mailpulse.toml:10:13: the inventory has no group `db`"]);
    place.write("hosts.json", "{\"db\": [\"db1\"], \"mx\": [\"mx1\"]}");
    place.run(&["check"]).ends(0).says(&[
        "warning: ",
        "mailpulse.toml:10:13: no hostgroup uses these groups of the inventory: mx",
    ]);
}

/// One message of Postfix, from a client and to a recipient.
const POSTFIX: &str = "\
Jun  6 18:55:01 mx3 postfix/smtpd[10]: 3F2A1B00C1: client=shop7.example.org[192.0.2.7]
Jun  6 18:55:01 mx3 postfix/cleanup[11]: 3F2A1B00C1: message-id=<a1@shop7.example.org>
Jun  6 18:55:01 mx3 postfix/qmgr[12]: 3F2A1B00C1: from=<news@shop.example.org>, size=1234, nrcpt=1 (queue active)
Jun  6 18:55:02 mx3 postfix/smtp[13]: 3F2A1B00C1: to=<a@example.net>, relay=mx.example.net[198.51.100.1]:25, delay=1.2, delays=0.1/0/0.5/0.6, dsn=4.2.0, status=deferred (host mx.example.net[198.51.100.1] said: 450 4.2.0 Greylisted (in reply to RCPT TO command))
Jun  6 18:55:03 mx3 cron[14]: something else
Jun  6 18:55:04 mx3 postfix/smtp[13]: 3F2A1B00C1: to=<a@example.net, relay
";

/// The objects of `parse`, which count through the lines.
#[track_caller]
fn parsed(run: &Run) -> Vec<Value> {
    let objects: Vec<Value> = run
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (at, object) in objects.iter().enumerate() {
        assert_eq!(object["line"], at + 1, "{}", run.out);
    }
    objects
}

/// Runs with this on standard input.
fn piped(place: &Place, args: &[&str], input: &str) -> Run {
    let mut child = place
        .command()
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Run::of(child.wait_with_output().unwrap())
}

#[test]
fn parse_tells_postfix_lines() {
    let place = Place::with(&format!(
        "{KEEP}[[service]]\nname = \"shop\"\nmatch = [{{ client = \"shop*.example.org\" }}]\n"
    ));
    let objects = parsed(&piped(&place, &["parse", "--explain"], POSTFIX).ends(0));
    let status: Vec<&str> = objects.iter().map(|o| o["status"].as_str().unwrap()).collect();
    assert_eq!(status, ["ignored", "ignored", "event", "event", "ignored", "unparsed"]);
    assert_eq!(
        (&objects[0]["what"], &objects[0]["ip"]),
        (&"client".into(), &"192.0.2.7".into())
    );
    assert_eq!(objects[0]["explain"]["service"]["service"], "shop");
    assert!(
        objects[0]["explain"]["decides"]
            .as_str()
            .unwrap()
            .contains("queue active")
    );
    assert_eq!(objects[2]["sender"], "news@shop.example.org");
    assert_eq!(
        (&objects[3]["what"], &objects[3]["smtp_code"]),
        (&"deferred".into(), &450.into())
    );
    assert_eq!(objects[3]["reason"], "greylisted");
    assert!(
        objects[3]["time"].as_str().unwrap().ends_with("-06-06T18:55:02"),
        "{}",
        objects[3]
    );
    assert_eq!(objects[4]["program"], "cron");
    let offset = objects[5]["offset"].as_u64().unwrap();
    assert!(offset > 50, "a place in the line: {}", objects[5]);
}

#[test]
fn parse_tells_which_lines_belong_to_a_record() {
    let place = example("django");
    let log = place.path("logs/django-1.log");
    let objects = parsed(&place.run(&["parse", "--explain", text(&log)]).ends(0));
    assert_eq!(objects.len(), 32);
    assert_eq!(
        (&objects[1]["status"], &objects[1]["what"]),
        (&"event".into(), &"submit_failed".into())
    );
    assert_eq!(objects[1]["lines"], 11);
    assert_eq!(objects[1]["reason"], "connection_refused");
    assert_eq!(objects[1]["explain"]["matched"]["template"], 1);
    for object in &objects[2..12] {
        assert_eq!(
            (&object["status"], &object["belongs_to"]),
            (&"ignored".into(), &2.into())
        );
    }
    // The same log elsewhere belongs to no source.
    let other = place.write("other.log", fs::read(&log).unwrap());
    for kind in ["pattern", "json"] {
        let run = place.run(&["parse", "--source", kind, text(&other)]);
        match kind {
            // The only one of its kind is meant.
            "pattern" => assert_eq!(parsed(&run.ends(0))[1]["status"], "event"),
            _ => {
                _ = run
                    .ends(2)
                    .says(&["kind json", "no [[source]] of this kind names the file", "--config"])
            }
        }
    }
    piped(&Place::new(), &["parse", "--source", "json"], "{}\n")
        .ends(2)
        .says(&["kind json", "standard input", "--config"]);
    Place::new()
        .run(&["parse", "--source", "eximm"])
        .ends(2)
        .says(&["exim"]);
}

#[test]
fn parse_tells_the_kind_by_the_content() {
    let place = Place::new();
    let line = "[06/Jun/2018 19:02:11 +0000] views        ERROR    Failed to send query completion notification via \
                e-mail: [Errno 111] Connection refused\n";
    let objects = parsed(&piped(&place, &["parse", "--explain", "--source", "hue"], line).ends(0));
    assert_eq!(objects[0]["what"], "submit_failed");
    assert_eq!(objects[0]["explain"]["service_is"]["service"], "hue");
    let log = place.write("x.log", POSTFIX);
    assert_eq!(
        parsed(&place.run(&["parse", text(&log)]).ends(0))[2]["what"],
        "queue_active"
    );
}

#[test]
fn backfill_takes_kind_service_and_year() {
    let place = Place::new();
    let log = place.write(
        "any",
        "[06/Jun/2018 19:02:11 +0000] views        ERROR    Failed to send query completion notification via e-mail: \
         [Errno 111] Connection refused\n",
    );
    // The end of a record is known when the log has been quiet for a while.
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_528_400_000);
    fs::File::options()
        .append(true)
        .open(&log)
        .unwrap()
        .set_modified(old)
        .unwrap();
    place
        .run(&["backfill", "--kind", "hue", "--service", "reports", text(&log)])
        .ends(0);
    let count = "SELECT COUNT(*) AS n FROM events WHERE source = 'hue' AND service = 'reports'";
    assert_eq!(place.number(count), 1);
    let mail = place.write("mail.log", POSTFIX);
    place.run(&["backfill", "--year", "2016", text(&mail)]).ends(0);
    let years = "SELECT COUNT(*) AS n FROM events WHERE source = 'postfix' AND ts < '2017-01-01'";
    assert_eq!(place.number(years), 2);
    for (args, words) in [
        (vec!["--kind", "pattern"], vec!["--kind pattern", "[[source]]"]),
        (
            vec!["--kind", "postfix", "--service", "x"],
            vec!["--service", "[[service]] rule"],
        ),
        (vec!["--service", "a b"], vec!["--service", "letters, digits"]),
        (vec!["--kind", "hu"], vec!["hue"]),
        (vec!["--year", "18"], vec!["1970"]),
    ] {
        let mut all = vec!["backfill"];
        all.extend(args);
        all.push(text(&log));
        place.run(&all).ends(2).says(&words);
    }
}

#[test]
fn discover_proposes_for_postfix_and_for_applications() {
    let place = Place::with(&format!(
        "{KEEP}[[service]]\nname = \"other\"\nmatch = [{{ sender = \"other@x.org\" }}]\n{}",
        JSON.replace("service = \"shop\"", "host = \"web12\"")
    ));
    let unknown = POSTFIX
        .replace("shop7.example.org[192.0.2.7]", "unknown[192.0.2.9]")
        .replace("3F2A1B00C1", "3F2A1B00C2")
        .replace("news@shop.", "x@forum.");
    let log = place.write("mail.log", format!("{POSTFIX}{unknown}"));
    place.write(
        "app.json",
        "{\"t\":\"2018-06-06T19:00:00Z\",\"event\":\"failed\",\"id\":\"1\",\"error\":{\"text\":\"timed out\"}}\n",
    );
    place.backfill_as("mx3", &[&log]).ends(0);
    place.run(&["backfill"]).ends(0);
    let window = ["services", "discover", "--since", "2015-01-01"];
    let run = place.run(&window).ends(0);
    for words in [
        "client = \"shop[0-9]*.example.org\", sender_domain = \"shop.example.org\"",
        "client_ip = \"192.0.2.9\", sender_domain = \"forum.example.org\"",
        "# 1 messages, for example 3F2A1B00C1",
        "# 1 mails of a log of kind json of web12, 1 of them failed, for example timeout: add to the [[source]] at ",
        "mailpulse.toml:12\n# service = \"web\"",
    ] {
        assert!(run.out.contains(words), "no `{words}` in:\n{}", run.out);
    }
    place.write("conf.d/proposed.toml", &run.out);
    place.run(&["check"]).ends(0);
}

#[test]
fn parse_shows_reasons_and_the_shapes_of_unknown_replies() {
    let place = Place::new();
    let line = |at: u32, text: &str| {
        format!(
            "Jun  6 18:55:{at:02} mx1 postfix/smtp[1]: 4F1A23B5C7: to=<a@x.example>, relay=mx.example[192.0.2.1]:25, delay=1, \
             delays=0/0/0/1, dsn=5.0.0, status=bounced (host mx.example[192.0.2.1] said: 550 {text} (in reply to RCPT TO \
             command))\n"
        )
    };
    let log = [
        line(1, "5.1.1 User unknown"),
        line(2, "xyzzy 17"),
        line(3, "xyzzy 18"),
        line(4, "5.1.1 no"),
        line(5, "5.1.1 no"),
    ];
    let run = piped(&place, &["parse", "--source", "postfix", "--reasons"], &log.concat()).ends(0);
    let objects: Vec<serde_json::Value> = run
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<_> = objects
        .iter()
        .map(|o| (o["reason"].as_str().unwrap(), o["lines"].as_u64().unwrap()))
        .collect();
    assert_eq!(told, [("no_such_user", 3), ("other", 2)]);
    assert_eq!((&objects[0]["percent"], objects[0].get("shapes")), (&60.0.into(), None));
    let shapes = objects[1]["shapes"].as_array().unwrap();
    assert_eq!((shapes.len(), &shapes[0]["lines"]), (1, &2.into()), "{shapes:?}");
    let shape = shapes[0]["shape"].as_str().unwrap();
    assert!(shape.contains("xyzzy 0"), "{shape}");
}
