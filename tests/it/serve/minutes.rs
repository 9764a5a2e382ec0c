//! The sentence of the overview through the night of 2018-06-06, against what `detect`, `incident`, and `routes` say.
//!
//! `MAILPULSE` names the program (default: the one under test; an optimised one is some ten times as fast), and
//! `MAILPULSE_NIGHT_STEP` the minutes from moment to moment where it is not near the first and the last minute of the outage.

use super::{Served, night};
use crate::util::{Place, Run, number_from};
use crate::watch::ONCE;
use serde_json::Value;
use std::collections::BTreeSet;

/// 2018-06-06 18:50 UTC, the stop of the relay, its return, and the end, minutes since 1970.
const BEGIN: i64 = 25_471_850;
const STOP: i64 = BEGIN + 5;
const BACK: i64 = STOP + 7 * 60 + 5;
const END: i64 = BACK + 30;

fn json(place: &Place, args: &[&str]) -> Value {
    let run = Run::of(
        place
            .command_of_choice()
            .args(args)
            .args(["--format", "json"])
            .output()
            .unwrap(),
    );
    serde_json::from_str(&run.out).unwrap_or_else(|why| panic!("{args:?}: {why}: {}", run.err))
}

fn texts(all: &Value) -> BTreeSet<String> {
    all.as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_str().unwrap().to_owned())
        .collect()
}

fn clock(minute: i64) -> String {
    jiff::Timestamp::from_second(minute * 60).unwrap().to_string()
}

/// What the overview says at a minute is what the commands say of it; how it stands.
fn compared(place: &Place, minute: i64) -> String {
    let at = clock(minute);
    let served = Served::by(place.command_of_choice(), &["--at", &at]);
    let now: Value = serde_json::from_str(&served.page("/api/v1/now")).unwrap();
    drop(served);
    let sentence = now["sentence"].as_str().unwrap();
    let told = format!("{at}: {sentence}");
    let alarms = json(place, &["detect", "--until", &at]);
    let fires = |alarm: &&Value| alarm["ended"].is_null();
    let ids = |all: &Value| -> BTreeSet<String> {
        let firing = all.as_array().unwrap().iter().filter(fires);
        firing.map(|alarm| alarm["notice_id"].to_string()).collect()
    };
    assert_eq!(ids(&now["alarms"]), ids(&alarms), "{told}");
    let blind = ["blind", "unreadable"];
    let about_mail = |alarm: &&Value| {
        fires(alarm) && alarm["provisional"] == false && !blind.contains(&alarm["state"].as_str().unwrap())
    };
    let of_mail: Vec<&Value> = alarms.as_array().unwrap().iter().filter(about_mail).collect();
    let standing = now["standing"].as_str().unwrap();
    assert_eq!(standing == "trouble", !of_mail.is_empty(), "{told}");
    if standing != "trouble" {
        assert!(sentence.starts_with("Mail flows") || standing == "unknown", "{told}");
        return standing.to_owned();
    }
    let since = now["since"].as_str().unwrap();
    assert!(sentence.contains(&since[11..16]), "{told}");
    let incident = json(place, &["incident", "--since", since, "--until", &at]);
    let services = incident["services"].as_array().unwrap();
    let hurt = |one: &&Value| {
        let impact = one["impact"].as_str().unwrap();
        ["lost", "delayed", "waiting", "bounced", "unknown"].contains(&impact) && one["missing"].as_u64() > Some(0)
    };
    let missing: u64 = services
        .iter()
        .filter(hurt)
        .filter_map(|one| one["missing"].as_u64())
        .sum();
    assert_eq!(now["missing"]["all"], missing, "{told}\n{incident}");
    let is_told = sentence.contains(&format!("{missing} mails are missing")) || sentence.contains("1 mail is missing");
    assert_eq!(is_told, missing > 0, "{told}\n{incident}");
    let affected = texts(&now["affected"]);
    let of_incident = services
        .iter()
        .filter(hurt)
        .map(|one| one["service"].as_str().unwrap().to_owned());
    let of_incident: BTreeSet<String> = of_incident.collect();
    assert!(
        missing == 0 || of_incident.is_subset(&affected),
        "{told}\n{of_incident:?}"
    );
    if let Some(relay) = now["relay"].as_str() {
        assert!(sentence.contains(relay), "{told}");
        let routes = json(place, &["routes", "--since", "2018-05-30T18:55:00Z", "--until", since]);
        let uses = |route: &Value| route["last_hops"].to_string().contains(relay);
        let users: BTreeSet<String> = routes
            .as_array()
            .unwrap()
            .iter()
            .filter(|route| uses(route))
            .map(|route| route["service"].as_str().unwrap().to_owned())
            .collect();
        assert!(affected.is_subset(&users), "{told}\n{affected:?} {users:?}");
    }
    standing.to_owned()
}

#[test]
#[ignore = "minutes: the overview at twenty moments; tests/run runs it"]
fn at_each_minute_of_the_night_the_sentence_is_what_the_commands_say() {
    let place = Place::copy_of(night());
    // Its snapshots, from which the answers of all moments begin.
    Run::of(place.command_of_choice().args(ONCE).output().unwrap());
    let step = number_from("MAILPULSE_NIGHT_STEP", 60) as i64;
    let is_near = |minute: i64| [STOP, BACK].iter().any(|near| (minute - near).abs() <= 3);
    let moments = (BEGIN..END).filter(|minute| is_near(*minute) || (minute - BEGIN) % step == 0);
    let standings: Vec<String> = moments.map(|minute| compared(&place, minute)).collect();
    let troubled = standings.iter().filter(|standing| *standing == "trouble").count();
    assert!(
        troubled > standings.len() / 2 && standings[0] == "flowing",
        "{standings:?}"
    );
}
