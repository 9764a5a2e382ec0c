use super::{input, read_with, told};
use crate::util::{KEEP, Place};
use std::fs;

const CASE: &str = "37-app-json-time-field-renamed";

fn config() -> String {
    fs::read_to_string(input(CASE, "mattermost.toml")).unwrap()
}

#[test]
fn a_mail_without_the_times_field_never_has_the_time_of_the_line_before() {
    let place = read_with(CASE, &config(), [1, 0, 3]);
    assert_eq!(told(&place, "ts, kind"), ["2020-01-21T06:10:49.152Z submit_failed"]);
    let status = place.run(&["status", "--format", "json"]).ends(0);
    assert!(status.out.contains("a record with its time field"), "{}", status.out);
    let parsed = place.run(&["parse", "--source", "json", "input.log"]);
    assert_eq!(parsed.out.matches("\"unparsed\"").count(), 3, "{}", parsed.out);
}

#[test]
fn the_renamed_field_is_read() {
    let config = config()
        .replace("time = \"ts\"", "time = \"timestamp\"")
        .replace("time_format = \"epoch\"", "time_format = \"rfc3339\"");
    let place = read_with(CASE, &config, [3, 0, 1]);
    assert_eq!(
        told(&place, "ts, reason"),
        [
            "2023-12-19T10:00:00.123Z policy",
            "2023-12-19T11:00:00.123Z policy",
            "2023-12-20T11:00:00.123Z policy"
        ]
    );
}

/// Siblings: kinds whose records about mail always have a time of their own.
#[test]
fn a_mail_without_its_time_is_unparsed_in_every_json_log() {
    for (kind, dated, renamed) in [
        (
            "slimapp",
            r#"{"@timestamp":"2018-06-06T19:02:11Z","host":"krypton","message":"SMTP connect() failed.","channel":"iegreview","level":"ERROR","method":"Wikimedia\\Slimapp\\Mailer::mail"}"#,
            r#"{"datetime":"2023-06-06T19:02:11Z","host":"krypton","message":"SMTP connect() failed.","channel":"iegreview","level":"ERROR","method":"Wikimedia\\Slimapp\\Mailer::mail"}"#,
        ),
        (
            "gerrit",
            r#"{"@timestamp":"2018-06-06T19:02:11Z","source_host":"cobalt","message":"Cannot email comments for 1,3","level":"ERROR","logger_name":"x"}"#,
            r#"{"time":"2023-06-06T19:02:11Z","source_host":"cobalt","message":"Cannot email comments for 2,3","level":"ERROR","logger_name":"x"}"#,
        ),
    ] {
        let place = Place::with(&format!(
            "{KEEP}[[source]]\nkind = \"{kind}\"\npaths = [\"app.log\"]\nhost = \"app1\"\n"
        ));
        let path = place.write("app.log", format!("{dated}\n{renamed}\n{dated}\n"));
        let file = fs::File::options().append(true).open(&path).unwrap();
        let mtime = file.metadata().unwrap().modified().unwrap();
        file.set_modified(mtime - std::time::Duration::from_secs(3600)).unwrap();
        let totals = place.run(&["backfill"]).ends(0).totals();
        assert_eq!((totals.events, totals.unparsed), (2, 1), "{kind}");
        assert_eq!(told(&place, "ts"), ["2018-06-06T19:02:11Z"; 2], "{kind}");
    }
}
