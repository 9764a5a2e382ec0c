//! An alarm that is out is updated: a service's becomes its relay's under the same id, live and replayed.

use crate::logs::{passed_on, stamp};
use crate::util::{KEEP, Place};
use crate::watch::ONCE;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// 2018-06-04 00:00 UTC, a Monday; the relay stops on Thursday, ten minutes after the shop's application finds that out.
const BEGIN: i64 = 1_528_070_400;
const FAILS: i64 = BEGIN + (3 * 24 + 10) * 3_600;
const STOPS: i64 = FAILS + 600;
const BACK: i64 = STOPS + 3 * 3_600;
const END: i64 = BACK + 3 * 3_600;

/// A shop that says when it cannot hand mail in, and two others, through one relay; the logs up to a moment.
fn place() -> Place {
    let mut config = format!(
        r#"{KEEP}
[[source]]
kind = "exim"
paths = ["mx1001/mainlog"]
host = "mx1001"
[[source]]
kind = "pattern"
paths = ["app.log"]
host = "app1"
service = "shop"
[[source.template]]
outcome = "failed"
text = "{{time:%Y-%m-%d %H:%M:%S}} mail to {{recipient}} failed: {{reason}}"
[[source.template]]
outcome = "submitted"
text = "{{time:%Y-%m-%d %H:%M:%S}} mail to {{recipient}}"
[[alert]]
kind = "stdout"
"#
    );
    for service in ["shop", "lists", "wiki"] {
        let _ = write!(
            config,
            "[[service]]\nname = \"{service}\"\nmatch = [{{ sender = \"{service}@example.org\" }}]\n"
        );
    }
    Place::with(&config)
}

fn go_on(place: &Place, until: i64) {
    let (mut relay, mut app) = (String::new(), String::new());
    let taken = |relay: &mut String, at: i64, sender: &str| {
        let id = format!("1f{:04}-{:06}-A1", at / 1_000_000 % 10_000, at % 1_000_000);
        relay.push_str(&passed_on(at, &id, sender));
    };
    for at in (BEGIN..until).step_by(60) {
        let (shop, others) = ((FAILS..BACK).contains(&at), (STOPS..BACK).contains(&at));
        if others {
            let _ = writeln!(relay, "{} Start queue run: pid=4711", stamp(at + 7));
        } else {
            taken(&mut relay, at + 7, "lists");
            taken(&mut relay, at + 17, "wiki");
        }
        match shop {
            true => {
                let _ = writeln!(
                    app,
                    "{} mail to u{at}@example.com failed: no credentials",
                    stamp(at + 27)
                );
            }
            false => {
                let _ = writeln!(app, "{} mail to u{at}@example.com", stamp(at + 27));
                taken(&mut relay, at + 27, "shop");
            }
        }
    }
    place.write("mx1001/mainlog", relay);
    place.write("app.log", app);
    place.run(&["backfill"]).ends(0);
}

fn told(place: &Place, code: i32) -> Vec<Value> {
    let out = place.run(&ONCE).ends(code).out;
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn an_alarm_of_a_service_that_turns_out_to_be_its_relays_keeps_its_id_from_first_notice_to_end() {
    let place = place();
    go_on(&place, FAILS + 480);
    let first = told(&place, 1);
    assert_eq!(first.len(), 1, "{first:#?}");
    let id = first[0]["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("service/shop/2018-06-07T10:0"), "{first:#?}");

    go_on(&place, STOPS + 3_600);
    let update = told(&place, 1);
    assert_eq!(update.len(), 1, "{update:#?}");
    assert_eq!(
        (&update[0]["id"], &update[0]["status"]),
        (&id.as_str().into(), &"firing".into())
    );
    assert_eq!(update[0]["alarm"]["series"]["relay"], "mx1001", "{update:#?}");
    assert_eq!(told(&place, 1), [] as [Value; 0], "once");
    let status = place.run(&["status"]).ends(0);
    assert!(
        status.out.starts_with("firing: relay mx1001 dropped\n"),
        "{}",
        status.out
    );
    assert!(status.out.contains(&format!("incident --alarm {id}")), "{}", status.out);

    go_on(&place, END);
    let end = told(&place, 0);
    assert_eq!(end.len(), 1, "{end:#?}");
    assert_eq!(
        (&end[0]["id"], &end[0]["status"]),
        (&id.as_str().into(), &"resolved".into())
    );

    // A replay knows the first notice as well.
    let run = place.run(&["detect", "--format", "json"]).ends(1);
    let found: Vec<Value> = serde_json::from_str(&run.out).unwrap();
    let sure: Vec<&Value> = found.iter().filter(|one| one["provisional"] == false).collect();
    assert_eq!(sure.len(), 1, "{found:#?}");
    assert_eq!(
        (&sure[0]["notice_id"], &sure[0]["series"]["relay"]),
        (&id.as_str().into(), &"mx1001".into())
    );
    let times = ["onset", "detected", "ended"].map(|key| sure[0][key].as_str().unwrap());
    assert!(times.is_sorted(), "{times:?}");
    let alarms = place.run(&["alarms"]);
    assert!(
        alarms.out.contains(&id) && alarms.out.contains("relay mx1001"),
        "{}",
        alarms.out
    );
    let incident = place.run(&["incident", "--alarm", &id, "--format", "json"]);
    let incident: Value = serde_json::from_str(&incident.out).unwrap();
    assert_eq!(incident["cause"]["relay"], "mx1001", "{incident:#}");
    let ids: BTreeSet<&str> = incident["alarms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alarm| alarm["notice_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, BTreeSet::from([id.as_str()]));
}
