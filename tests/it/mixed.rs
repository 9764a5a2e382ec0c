//! A relay that also takes mail from the world: whose mail is counted, and what is found of bounces.

use crate::serve::Served;
use crate::util::Place;
use mailpulse::analysis::fleet::fleet;
use mailpulse::detect::fleet::FlowKind;
use mailpulse::model::direction::DirectionView;
use mailpulse::query::Window;
use mailpulse::query::viewed::ViewedHistory;
use mailpulse::simulate::{MixedRelay, MixedTruth, mixed_relay};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Two relays' logs, read under the rules of their twelve services.
fn mixed(spec: &MixedRelay) -> (Place, MixedTruth) {
    let place = Place::new();
    let logs = place.path("logs");
    let truth = mixed_relay(&logs, spec).unwrap();
    // With its `[store]`: the test writes nowhere else.
    let text = std::fs::read_to_string(logs.join("mailpulse.toml")).unwrap();
    place.write("mailpulse.toml", text.replace("paths = [\"mx", "paths = [\"logs/mx"));
    let read = place.run(&["backfill"]).ends(0);
    let totals = read.totals();
    assert_eq!((totals.lines, totals.unparsed), (truth.lines, 0), "{}", read.err);
    (place, truth)
}

fn spec(days: u32, ours_per_day: f64) -> MixedRelay {
    MixedRelay {
        seed: 4,
        days,
        ours_per_day,
        inbound_per_ours: 19.0,
        throttled: false,
        bouncing: false,
    }
}

/// A count by service.
fn by_service(place: &Place, sum: &str, condition: &str) -> BTreeMap<String, u64> {
    let rows = place.sql(&format!(
        "SELECT service, {sum} AS n FROM events WHERE {condition} AND service <> 'unattributed' GROUP BY service"
    ));
    let one = |row: &Value| Some((row["service"].as_str()?.to_owned(), row["n"].as_u64()?));
    rows.iter()
        .map(|row| one(row).expect("a count"))
        .filter(|(_, n)| *n > 0)
        .collect()
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_relay_that_takes_mail_from_the_world_counts_the_mail_of_our_services_exactly() {
    let (place, truth) = mixed(&spec(1, 300.0));
    for host in ["mx1", "mx2"] {
        let expected = truth
            .accepted
            .iter()
            .filter(|((on, service), _)| on == host && service != "bounces");
        let expected: BTreeMap<String, u64> = expected.map(|((_, service), n)| (service.clone(), *n)).collect();
        let accepted =
            format!("kind = 'accepted' AND host = '{host}' AND service <> 'bounces' AND service <> 'inbound'");
        assert_eq!(by_service(&place, "SUM(messages)", &accepted), expected, "{host}");
    }
    let sent = "kind = 'delivered' AND destination = 'remote' AND remote_host <> '127.0.0.1' AND remote_host <> 'mail' \
                AND service <> 'bounces' AND service <> 'inbound'";
    assert_eq!(by_service(&place, "COUNT(*)", sent), truth.outbound);
    let bounced = "kind = 'bounced' AND remote_host <> '' AND service <> 'bounces' AND service <> 'inbound'";
    assert_eq!(by_service(&place, "COUNT(*)", bounced), truth.bounced);
    let ours = truth.accepted.iter().filter(|((_, service), _)| service != "bounces");
    let ours: u64 = ours.map(|(_, n)| n).sum();
    assert!(truth.inbound > 10 * ours, "{truth:?}");
    assert!(truth.refused > 1000 && truth.copies["transit"] > 300, "{truth:?}");
    other_mail_is_judged_where_it_is_asked_for(&place, &truth);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn without_a_configuration_99_of_100_copies_have_their_direction_and_no_foreign_domain_is_proposed() {
    let place = Place::with("[store]\nurl = \"store\"\n");
    let logs = place.path("logs");
    let truth = mixed_relay(&logs, &spec(1, 300.0)).unwrap();
    for (host, log) in [("mx1", "mainlog"), ("mx2", "mail.log")] {
        place.backfill_as(host, &[&logs.join(host).join(log)]).ends(0);
    }
    let rows = place.sql("SELECT direction, COUNT(*) AS n FROM events WHERE kind = 'delivered' GROUP BY direction");
    let found: BTreeMap<&str, u64> = rows
        .iter()
        .map(|row| (row["direction"].as_str().unwrap(), row["n"].as_u64().unwrap()))
        .collect();
    let names: BTreeSet<&str> = truth.copies.keys().chain(found.keys()).copied().collect();
    let count = |counts: &BTreeMap<&str, u64>, name: &str| counts.get(name).copied().unwrap_or(0);
    let wrong: u64 = names
        .iter()
        .map(|name| count(&found, name).abs_diff(count(&truth.copies, name)))
        .sum();
    assert!(
        100 * wrong <= truth.copies.values().sum(),
        "{found:?} instead of {:?}",
        truth.copies
    );
    let proposed = place
        .run(&["services", "discover", "--since", "2018-01-01"])
        .ends(0)
        .out;
    assert!(!proposed.contains("d0"), "a foreign domain: {proposed}");
    let rules = proposed.matches("[[service]]").count();
    assert!((5..=11).contains(&rules), "{rules}: {proposed}");
}

fn other_mail_is_judged_where_it_is_asked_for(place: &Place, truth: &MixedTruth) {
    let store = place.store();
    let taken = |view: DirectionView| {
        let store = ViewedHistory { inner: &store, view };
        let fleet = fleet(&store, Window::ALL).unwrap();
        let flows = fleet.minutes.iter().flat_map(|minute| &minute.flows);
        let flows = flows.filter(|flow| flow.what == FlowKind::Accepted);
        let mut sums: BTreeMap<String, u64> = BTreeMap::new();
        for flow in flows {
            *sums.entry(fleet.names.service(flow.service).to_owned()).or_default() += u64::from(flow.count);
        }
        sums
    };
    let (ours, inbound) = (taken(DirectionView::Outbound), taken(DirectionView::Inbound));
    assert!(ours["shop"] > 20 && !ours.contains_key("inbound"), "{ours:?}");
    assert_eq!(inbound, [("inbound".to_owned(), truth.inbound)].into());
    let all = taken(DirectionView::All);
    assert_eq!((all["inbound"], all["shop"]), (truth.inbound, ours["shop"]));
    assert_eq!(taken(DirectionView::Internal), ours);
    let services = |direction: &str| -> Vec<String> {
        let window = ["--since", "2018-06-06T12:00Z", "--until", "2018-06-06T18:00Z"];
        let asked = ["incident", "--format", "json", "--direction", direction];
        let answer = place.run(&[&asked[..], &window[..]].concat());
        let incident: Value = serde_json::from_str(&answer.out).unwrap();
        let services = incident["services"].as_array().unwrap().iter();
        services
            .map(|one| one["service"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(services("inbound"), ["inbound"]);
    assert!(services("outbound").contains(&"shop".to_owned()));
    place
        .run(&["detect", "--direction", "inbound"])
        .ends(0)
        .says(&["0 alarms"]);
    place
        .run(&["detect", "--direction", "up"])
        .ends(2)
        .says(&["`up` is not a direction"]);
}

/// What `detect` finds, which is one alarm.
fn only_alarm(place: &Place) -> Value {
    let found = place.run(&["detect", "--format", "json"]).ends(1);
    let mut alarms: Vec<Value> = serde_json::from_str(&found.out).unwrap();
    assert_eq!(alarms.len(), 1, "{alarms:#?}");
    alarms.remove(0)
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn mail_of_one_service_that_bounces_is_one_alarm_and_an_impact_with_the_reply() {
    let (place, truth) = mixed(&MixedRelay {
        bouncing: true,
        inbound_per_ours: 1.0,
        ..spec(5, 1600.0)
    });
    let alarm = only_alarm(&place);
    assert_eq!(
        (&alarm["series"]["service"], &alarm["state"]),
        (&"shop".into(), &"failing".into()),
        "{alarm:#}"
    );
    let (begin, detected) = ("2018-06-06T12:00:00Z", alarm["detected"].as_str().unwrap());
    assert!(detected > begin && detected <= "2018-06-06T13:00:00Z", "{alarm:#}");
    let answer = place.run(&[
        "incident",
        "--since",
        begin,
        "--until",
        "2018-06-07T00:00:00Z",
        "--format",
        "json",
    ]);
    let incident: Value = serde_json::from_str(&answer.out).unwrap();
    let services = incident["services"].as_array().unwrap();
    let of = |name: &str| services.iter().find(|one| one["service"] == name).unwrap();
    let shop = of("shop");
    assert_eq!(shop["impact"], "bounced", "{shop:#}");
    let in_truth = truth.bounced["shop"];
    let counted = shop["bounced"].as_u64().unwrap();
    assert!(
        counted <= in_truth && counted * 20 > in_truth * 17,
        "{counted} of {in_truth}"
    );
    let reply = &shop["reply"];
    assert_eq!(
        (&reply["smtp_code"], &reply["enhanced_code"]),
        (&550.into(), &"5.7.1".into()),
        "{shop:#}"
    );
    assert_eq!(of("tickets")["impact"], "none");
    let page = place.run(&[
        "incident",
        "--since",
        begin,
        "--until",
        "2018-06-07T00:00:00Z",
        "--format",
        "markdown",
    ]);
    assert!(
        page.out.contains("1 service sent mail that came back: shop."),
        "{}",
        page.out
    );
    assert!(page.out.contains("service shop failing: 550 5.7.1"), "{}", page.out);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_provider_that_defers_most_of_our_mail_is_one_alarm_with_its_code() {
    let (place, truth) = mixed(&MixedRelay {
        throttled: true,
        inbound_per_ours: 1.0,
        ..spec(5, 1600.0)
    });
    let share = truth.deferred["google"] as f64 / truth.attempts["google"] as f64;
    assert!(share > 0.1, "{truth:?}");
    let alarm = only_alarm(&place);
    assert_eq!(
        (&alarm["series"]["provider"], &alarm["state"]),
        (&"google".into(), &"throttled".into()),
        "{alarm:#}"
    );
    let (begin, detected) = ("2018-06-06T12:00:00Z", alarm["detected"].as_str().unwrap());
    assert!(detected > begin && detected <= "2018-06-06T12:20:00Z", "{alarm:#}");
    let said = alarm["evidence"][0].as_str().unwrap();
    assert!(
        said.starts_with("google defers ")
            && said.contains(" % of our mail since 12:0")
            && said.contains(" (usually ")
            && said.contains(" %): 421 4.7.28 rate_limited, "),
        "{alarm:#}"
    );
    // The same sentence below the table, and in what is sent.
    place.run(&["detect"]).ends(1).says(&[said]);
    let config = std::fs::read_to_string(place.path("mailpulse.toml")).unwrap();
    place.write("mailpulse.toml", format!("{config}\n[[alert]]\nkind = \"stdout\"\n"));
    let sent = place.run(&["watch", "--once", "--stale", "0"]).ends(1);
    let notice: Value = serde_json::from_str(sent.out.lines().next().unwrap()).unwrap();
    assert!(notice["summary"].as_str().unwrap().ends_with(said), "{notice:#}");
    let served = Served::start(&place, &["--at", "2018-06-06T14:00Z"]);
    let page = served.page("/provider?name=google");
    let (_, told) = page.split_once("Since 12:0").expect("since when");
    let (told, _) = told.split_once("</p>").unwrap();
    assert!(
        told.contains("attempts were deferred and ") && told.contains(" are usual."),
        "{told}"
    );
    let deferred: f64 = told.split([',', '%']).nth(1).unwrap().trim().parse().expect(told);
    assert!(deferred > 50.0, "{told}");
    assert!(served.page("/").contains(&format!("{deferred:.1} %")), "{told}");
    drop(served);
    let until = "2018-06-07T00:00:00Z";
    let told = place
        .run(&[
            "providers",
            "--since",
            "2018-06-02",
            "--until",
            begin,
            "--format",
            "json",
        ])
        .ends(0);
    let usual: Vec<Value> = serde_json::from_str(&told.out).unwrap();
    let told = place
        .run(&["providers", "--since", begin, "--until", until, "--format", "json"])
        .ends(0);
    let rows: Vec<Value> = serde_json::from_str(&told.out).unwrap();
    let sum = |rows: &[Value], provider: &str, column: &str| -> u64 {
        let of_it = rows.iter().filter(|row| row["provider"] == provider);
        of_it.map(|row| row[column].as_u64().expect("a number")).sum()
    };
    for provider in ["google", "microsoft", "yahoo", "gmx"] {
        for (column, known) in [("attempts", &truth.attempts), ("deferred", &truth.deferred)] {
            let counted = sum(&usual, provider, column) + sum(&rows, provider, column);
            assert!(
                counted <= known[provider] && counted * 10 > known[provider] * 7,
                "{provider} {column}: {rows:#?}"
            );
        }
        let taken = sum(&rows, provider, "delivered_at_first") + sum(&rows, provider, "delivered_later");
        let others = sum(&rows, provider, "deferred") + sum(&rows, provider, "bounced");
        assert_eq!(
            taken + others,
            sum(&rows, provider, "attempts"),
            "{provider}: {rows:#?}"
        );
    }
    let google = &rows[0];
    assert_eq!(
        (&google["provider"], &google["reason"]),
        (&"google".into(), &"rate_limited".into()),
        "{rows:#?}"
    );
    let (now, before) = (&google["deferred_percent"], &google["usual_deferred_percent"]);
    assert!(now.as_f64() > Some(55.0) && before.as_f64() < Some(3.0), "{google:#}");
    assert!(
        google["delivered_later"].as_u64() > google["delivered_at_first"].as_u64(),
        "{google:#}"
    );
    let answer = place.run(&["incident", "--since", begin, "--until", until, "--format", "json"]);
    let incident: Value = serde_json::from_str(&answer.out).unwrap();
    let reply = &incident["alarms"][0]["reply"];
    assert_eq!(
        (&reply["smtp_code"], &reply["enhanced_code"]),
        (&421.into(), &"4.7.28".into()),
        "{incident:#}"
    );
    let page = place.run(&["incident", "--since", begin, "--until", until, "--format", "markdown"]);
    assert!(
        page.out.contains("provider google throttled: 421 4.7.28"),
        "{}",
        page.out
    );
}
