use super::*;

fn mapping(change: impl FnOnce(&mut JsonDescription)) -> Result<Mapping, BuildError> {
    let mut description = JsonDescription {
        time: Some("t".into()),
        level: Some("level".into()),
        recipient: Some("mail.to".into()),
        reason: Some("err".into()),
        submitted_when: vec![vec![Condition::pattern("event", "sent")]],
        failed_when: vec![
            vec![
                Condition::pattern("level", "ERR*"),
                Condition::pattern("logger", "*.mail.?"),
            ],
            vec![Condition {
                field: "err".into(),
                test: Test::Contains("SMTP".into()),
            }],
        ],
        ..JsonDescription::default()
    };
    change(&mut description);
    Mapping::new(&description)
}

#[test]
fn conditions() {
    let mapping = mapping(|d| d.retried_when = vec![vec![Condition::pattern("attempt", "1")]]).unwrap();
    let body = |line: &str| {
        format!(
            "{:?}",
            mapping
                .parse(line.replacen('{', "{\"t\":1,", 1).as_bytes())
                .map(|r| (r.matched, r.mail().map(|m| m.will_retry)))
        )
    };
    assert_eq!(body(r#"{"event":"sent"}"#), "Ok((Some(2), Some(false)))");
    assert_eq!(body(r#"{"event":"sent","err":"SMTP x"}"#), "Ok((Some(1), Some(false)))");
    assert_eq!(
        body(r#"{"level":"ERROR","logger":"a.mail.b","attempt":1}"#),
        "Ok((Some(0), Some(true)))"
    );
    assert_eq!(body(r#"{"level":"ERROR","logger":"a.mail.bc"}"#), "Ok((None, None))");
    assert_eq!(body(r#"{"event":null}"#), "Ok((None, None))");
}

#[test]
fn times() {
    let read = |format: Option<&str>, value: &str| {
        let mapping = mapping(|d| d.time_format = format.map(str::to_owned)).unwrap();
        let time = mapping
            .parse(format!("{{\"t\":{value}}}").as_bytes())
            .map(|record| record.time);
        time.map(|time| match time {
            Time::Full(stamp) => stamp.utc_ms(),
            _ => -1,
        })
        .map_err(|reject| reject.offset)
    };
    const MS: i64 = 1_528_311_731_500;
    assert_eq!(read(None, "\"2018-06-06T19:02:11.5Z\""), Ok(MS));
    assert_eq!(read(None, "1528311731.5"), Ok(MS));
    assert_eq!(read(None, "1528311731500"), Ok(MS));
    assert_eq!(read(Some("epoch_ms"), "\"1528311731500\""), Ok(MS));
    assert_eq!(read(Some("epoch"), "1528311731.5"), Ok(MS));
    assert_eq!(read(Some("%d/%m/%Y %T.%f"), "\"06/06/2018 19:02:11.5\""), Ok(MS));
    assert_eq!(read(None, "null"), Ok(-1));
    assert_eq!(read(None, "\"2018-06-06 19:02:11.5 Z\""), Ok(MS));
    assert_eq!(read(Some("rfc3339"), "\"2018-06-06 19:02:11.5 Z\""), Ok(MS));
    assert_eq!(read(None, "\"yesterday\""), Err(6));
    assert_eq!(read(None, "1e300"), Err(0));
    assert_eq!(read(Some("rfc3339"), "12"), Err(0));
}

#[test]
fn recipients() {
    let mapping = mapping(|_| ()).unwrap();
    for (to, first, count) in [
        (r#"["a@x","b@x"]"#, "a@x", Some(2)),
        (r#""Ann <a@x>, b@x""#, "a@x", Some(2)),
        (r#""nobody""#, "nobody", None),
    ] {
        let line = format!("{{\"t\":1,\"event\":\"sent\",\"mail\":{{\"to\":{to}}}}}");
        let record = mapping.parse(line.as_bytes()).unwrap();
        let mail = record.mail().unwrap();
        assert_eq!(
            (mail.recipient.as_deref(), mail.recipients),
            (Some(first.as_bytes()), count)
        );
    }
}

#[test]
fn descriptions_that_cannot_be_used() {
    let empty = |d: &mut JsonDescription| d.failed_when[0].clear();
    for (error, words) in [
        (mapping(|d| d.time = Some("a..b".into())), "time: `a..b` is not a path"),
        (mapping(empty), "failed_when 1: an empty condition"),
        (
            mapping(|d| (d.failed_when, d.submitted_when) = (vec![], vec![])),
            "no condition selects",
        ),
        (
            mapping(|d| d.failed_when[0][0] = Condition::pattern("a", "*")),
            "matches every text",
        ),
        (
            mapping(|d| d.failed_when[0][0] = Condition::pattern("", "x")),
            "failed_when 1: `` is not a path",
        ),
        (
            mapping(|d| d.time_format = Some("iso".into())),
            "`iso` is not a time format",
        ),
        (
            mapping(|d| d.time_format = Some("%Y %Q".into())),
            "time_format, column 4: unknown directive",
        ),
        (
            mapping(|d| (d.time, d.time_format) = (None, Some("epoch".into()))),
            "no `time` says",
        ),
    ] {
        let text = error.unwrap_err().to_string();
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn a_mail_whose_time_has_another_name_is_rejected() {
    let dated = mapping(|_| ()).unwrap();
    let undated = mapping(|d| d.time = None).unwrap();
    let mail = br#"{"timestamp":"2018-06-06T19:02:11Z","event":"sent"}"#;
    let reject = dated.parse(mail).unwrap_err();
    assert_eq!(
        reject.to_string(),
        "at byte 0: expected a record with its time field, found `{`"
    );
    assert!(dated.parse(br#"{"t":null,"event":"sent"}"#).is_err());
    assert_eq!(undated.parse(mail).unwrap().time, Time::Undated);
    // What is not about mail tells nothing, with or without a time.
    assert_eq!(dated.parse(br#"{"event":"started"}"#).unwrap().body, AppBody::Other);
}

#[test]
fn an_odd_value_does_not_cost_the_mail() {
    let mapping = mapping(|_| ()).unwrap();
    for (fields, field, value) in [
        (r#""size":NaN"#, "number", "NaN"),
        (r#""level":1e999,"b":"\ud800""#, "number", "1e999"),
        (r#""mail":{"to":{"address":"a@x"}}"#, "recipient", "an object"),
    ] {
        let line = format!("{{\"t\":1,\"event\":\"sent\",{fields}}}");
        let record = mapping
            .parse(line.as_bytes())
            .unwrap_or_else(|reject| panic!("{line}: {reject}"));
        assert!(matches!(record.body, AppBody::Submitted(_)), "{line}");
        let odd = record.odd.unwrap();
        assert_eq!((odd.field, odd.value), (field, value.as_bytes()), "{line}");
    }
    assert!(
        mapping.parse(br#"{"t":NaN,"event":"sent"}"#).is_err(),
        "the time decides"
    );
}
