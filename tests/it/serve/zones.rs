//! Times in the zone that a reader chooses: kept in links, and named on each page.

use super::{Served, night};
use serde_json::Value;

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_zone_is_kept_in_links_and_all_times_are_in_it() {
    let served = Served::start(night(), &["--at", "2018-06-06T22:00Z"]);
    let page = served.page("/?tz=Europe/Berlin");
    assert!(page.contains("stopped at 20:55"), "{page}");
    assert!(
        page.contains("Times are in Europe/Berlin") && page.contains("as of 2018-06-07 00:00 CEST"),
        "{page}"
    );
    // The day is another one there.
    assert!(page.contains("since 2018-06-06 20:55"), "{page}");
    for link in page
        .split("href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
    {
        let is_file = link.starts_with("/static/") || link.starts_with('#');
        assert!(is_file || link.contains("tz=Europe/Berlin"), "{link}");
    }
    assert!(
        page.contains("<input type=\"hidden\" name=\"tz\" value=\"Europe/Berlin\">"),
        "forms keep it"
    );
    let usual = served.page("/");
    assert!(
        usual.contains("stopped at 18:55") && usual.contains("Times are in UTC"),
        "{usual}"
    );
    assert!(!usual.contains("tz="), "{usual}");
    let kept = served.page("/service?name=phabricator&from=-6h");
    assert!(
        kept.contains("<input type=\"hidden\" name=\"from\" value=\"-6h\">"),
        "the zone's form keeps the time: {kept}"
    );
    let trace = night().sql("SELECT queue_id FROM events WHERE kind = 'delivered' AND ts_ms >= 1528308000000 LIMIT 1");
    let id = trace[0]["queue_id"].as_str().unwrap();
    assert!(
        served
            .page(&format!("/trace?id={id}&tz=Asia/Tokyo"))
            .contains("2018-06-07 0"),
        "{id}"
    );
    let incident = served.page("/incident?from=2018-06-06T20:55&to=2018-06-06T22:00&tz=Europe/Berlin");
    assert!(
        incident.contains("Timeline (Europe/Berlin)") && incident.contains("2018-06-06 20:55 CEST"),
        "{incident}"
    );
    for bad in ["Mars/Olympus", "", "%3Cscript%3E"] {
        let reply = served.settled(&format!("/?tz={bad}"));
        assert_eq!(reply.status, 400, "{bad}");
        assert!(
            reply.body.contains("tz: ") && !reply.body.contains("<script>"),
            "{}",
            reply.body
        );
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn buckets_of_a_day_begin_at_the_midnight_of_the_zone_and_add_up_to_the_same() {
    let served = Served::start(night(), &["--at", "2018-06-06T22:00Z"]);
    let rates = |zone: &str, window: &str| -> Value {
        let reply = served.settled(&format!("/api/v1/rates?name=wiki&{window}&tz={zone}"));
        assert_eq!(reply.status, 200, "{}", reply.body);
        serde_json::from_str(&reply.body).unwrap()
    };
    let begins = |answer: &Value| {
        (
            answer["from"].as_str().unwrap().to_owned(),
            answer["step_s"].as_i64().unwrap(),
        )
    };
    // 90 days: buckets of a day.
    let long = "from=2017-12-01&to=2018-03-01";
    let mails = |answer: &Value| -> f64 {
        let values = answer["series"][0]["values"].as_array().unwrap().iter();
        values.filter_map(Value::as_f64).sum::<f64>() * answer["step_s"].as_f64().unwrap() / 60.0
    };
    assert_eq!(begins(&rates("UTC", long)), ("2017-12-01T00:00:00Z".to_owned(), 86_400));
    assert_eq!(
        begins(&rates("Asia/Kolkata", long)),
        ("2017-11-30T18:30:00Z".to_owned(), 86_400)
    );
    // Its clocks change in March: UTC, and the page says so.
    let changing = "from=2018-03-20T00:00Z&to=2018-06-06T00:00Z";
    assert_eq!(begins(&rates("Europe/Berlin", changing)).0, "2018-03-20T00:00:00Z");
    let page = served.page(&format!("/service?name=wiki&{changing}&tz=Europe/Berlin"));
    assert!(page.contains("the clocks of Europe/Berlin change"), "{page}");
    // Whole days there, from roll-ups by the hour: what comes out is what the minutes say.
    let (from, to) = ("2018-05-30T22:00Z", "2018-06-05T22:00Z");
    let days = rates("Europe/Berlin", &format!("from={from}&to={to}"));
    let window = [format!("since={from}"), format!("until={to}")];
    let args = [
        "query",
        "top_services",
        "--param",
        window[0].as_str(),
        "--param",
        window[1].as_str(),
        "--format",
        "json",
    ];
    let services: Value = serde_json::from_str(&night().run(&args).ends(0).out).unwrap();
    let own = services.as_array().unwrap().iter().find(|row| row["service"] == "wiki");
    let counted = own.unwrap()["messages"].as_f64().unwrap();
    assert!((mails(&days) - counted).abs() < 1.0, "{} {counted}", mails(&days));
}
