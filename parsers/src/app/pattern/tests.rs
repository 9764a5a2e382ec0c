use super::*;

fn patterns(templates: &[(&str, Outcome)]) -> Result<Patterns, BuildError> {
    Patterns::new(&PatternDescription {
        templates: templates
            .iter()
            .map(|(text, outcome)| Template {
                text: (*text).to_owned(),
                outcome: *outcome,
                retried: false,
            })
            .collect(),
        ..PatternDescription::default()
    })
}

#[test]
fn captures_and_continuations() {
    let patterns = patterns(&[
        (
            "[{time:%F %T}] {{{level:word}}} to={recipient}: {reason}",
            Outcome::Failed,
        ),
        (
            "[{time:%F %T}] ERROR {_}\nsmtplib.{_:lines}\nlast {reason:rest}",
            Outcome::Failed,
        ),
        ("[{time:%F %T}] sent {recipients:int} é", Outcome::Submitted),
    ])
    .unwrap();
    let read = |text: &str| {
        let record = patterns.parse(text.as_bytes()).map_err(|reject| reject.offset)?;
        let mail = record
            .mail()
            .map(|mail| (mail.recipients, crate::harmless::safe_text(&mail.reason)));
        Ok((record.matched, mail))
    };
    let failed = |at, count, reason: &str| Ok((Some(at), Some((count, reason.to_owned()))));
    assert_eq!(
        read("[2018-06-06 19:02:11] {E} to=a@b, c@d: x: y\r\nmore"),
        failed(0, Some(2), "x: y")
    );
    assert_eq!(
        read("[2018-06-06 19:02:11] ERROR x\nsmtplib.E\n a\nlast 1\n2"),
        failed(1, None, "1\\u{a}2")
    );
    assert_eq!(read("[2018-06-06 19:02:11] sent 3 é"), failed(2, Some(3), ""));
    assert_eq!(read("[2018-06-06 19:02:11] sent 3 e"), Ok((None, None)));
    assert_eq!(read("[2018-06-31 19:02:11] sent 3 e"), Err(1));
    assert_eq!(read("2018-06-06 19:02:11 sent 3 e"), Err(0));
    assert!(patterns.starts(b"[2018-06-06 19:02:11] x") && !patterns.starts(b" [2018-06-06 19:02:11]"));
    assert!(
        patterns
            .parse(b"[2018-06-06 19:02:11] {E} to=\xff: \xfe")
            .unwrap()
            .matched
            .is_some()
    );
}

#[test]
fn templates_that_cannot_be_used() {
    for (text, words) in [
        ("{time:%T} {foo", "template 1, column 11: `{` is never closed"),
        ("{time:%T} foo}", "column 14: `}` without `{`"),
        (
            "{time:%T} {recpient}",
            "column 12: `recpient` is not a name (did you mean `recipient`?)",
        ),
        ("{time:%T} {level}{logger}", "column 18: `{level}` and `{logger}` touch"),
        ("{time:%T} {_}{_}", "touch"),
        ("{time:%T} {level} {level}", "column 19: `{level}` occurs twice"),
        ("{level} é {time:%H:%Q}", "column 20: unknown directive"),
        ("{time} x", "column 1: `{time}` without a format"),
        ("{level} x", "column 1: no `{time:…}` in it"),
        (
            "{time:%T} {level:wrod}",
            "column 18: `wrod` is not a form (did you mean `word`?)",
        ),
    ] {
        let error = patterns(&[(text, Outcome::Failed)]).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
    assert!(patterns(&[]).unwrap_err().to_string().contains("0 templates"));
    let long = "{time:%T} ".to_owned() + &"x".repeat(3000);
    assert!(
        patterns(&[(&long, Outcome::Other)])
            .unwrap_err()
            .to_string()
            .contains("longer than")
    );
}

#[test]
fn beginnings() {
    let with = |starts: Option<&str>, undated| {
        Patterns::new(&PatternDescription {
            templates: vec![Template {
                text: "mail to {recipient} failed".into(),
                outcome: Outcome::Failed,
                retried: true,
            }],
            starts: starts.map(str::to_owned),
            undated,
        })
    };
    let undated = with(None, true).unwrap();
    assert!(undated.starts(b"x") && !undated.starts(b" x") && !undated.starts(b""));
    assert_eq!(undated.parse(b"x").unwrap(), AppRecord::other(Time::Undated));
    assert!(undated.parse(b"mail to a@b failed").unwrap().mail().unwrap().will_retry);
    let marked = with(Some("mail "), true).unwrap();
    assert!(marked.starts(b"mail x") && !marked.starts(b"x"));
    assert_eq!(marked.parse(b"x").unwrap_err().expected, "what `starts` describes");
    assert!(
        with(Some(""), true)
            .unwrap_err()
            .to_string()
            .starts_with("starts: empty")
    );
}

#[test]
fn a_survey_says_how_templates_fit() {
    let patterns = patterns(&[
        ("{time:%T} sent {_}", Outcome::Submitted),
        ("{time:%T} {_} failed", Outcome::Failed),
        ("{time:%T} never", Outcome::Other),
    ])
    .unwrap();
    let lines = [
        "05:40:47 sent a",
        "05:40:47 a failed",
        "05:40:47 sent b failed",
        "05:40:47 x",
        "x",
    ];
    let survey = patterns.survey(lines.iter().map(|line| line.as_bytes()));
    assert_eq!(
        survey,
        Survey {
            records: 5,
            matches: vec![2, 1, 0],
            unmatched: 1,
            rejected: 1,
            ambiguous: vec![(2, 0, 1)],
        }
    );
}

#[test]
fn a_count_that_is_none_does_not_cost_the_mail() {
    let patterns = patterns(&[(
        "{time:%F %T} sent to {recipients:int} recips in {_:int} s",
        Outcome::Submitted,
    )])
    .unwrap();
    let read = |count: &str| {
        let line = format!("2018-06-06 19:02:11 sent to {count} recips in 5 s");
        let record = patterns.parse(line.as_bytes()).unwrap();
        let odd = record.odd.map(|odd| (odd.field, odd.value.len()));
        (record.mail().map(|mail| mail.recipients), odd)
    };
    assert_eq!(read("12"), (Some(Some(12)), None));
    for count in ["2x", "-1", "1e9", "99999999999999999999"] {
        assert_eq!(read(count), (Some(None), Some(("recipients", count.len()))), "{count}");
    }
    assert_eq!(read("no"), (None, None), "a word is another line");
}
