//! Names of services that logs make: as many as there is room for, and those that are used stay.

use crate::util::{Place, assert_same_rows};
use mailpulse::store::catalogue::Reason;

const CONFIG: &str = "[ours]\nnetworks = [\"192.0.2.0/24\"]\n[store]\nurl = \"store\"\nservices_max = 10\n[privacy]\nlocal_parts = \"keep\"\n\
                      [[source]]\nkind = \"exim\"\npaths = [\"mainlog\"]\nhost = \"mx1\"\n";

/// A line of June 2018, the `n`-th of its day.
fn line(day: u32, n: u32, service: &str) -> String {
    format!(
        "2018-06-{day:02} {:02}:{:02}:00 1fQ{day:02}A-00{n:02}Ab-Cd <= {service}@example.org H=h.example.org [192.0.2.7] \
         P=esmtp S=900\n",
        n / 60,
        n % 60
    )
}

/// Services that send daily.
const DAILY: [&str; 9] = [
    "shop", "wiki", "git", "cron", "backup", "lists", "survey", "tickets", "monitor",
];

/// Nine days on which nine services send and one on two of them; on a day many strangers, then a service that begins.
fn days() -> Vec<String> {
    (1..=9)
        .map(|day| {
            let mut names: Vec<String> = DAILY.map(str::to_owned).to_vec();
            if day <= 2 {
                names.push("old".into());
            }
            if day == 4 {
                names.extend((10..60).map(|n| {
                    format!(
                        "stranger-{}",
                        char::from(b'a' + n as u8 % 26).to_string().repeat(2 + n / 26)
                    )
                }));
            }
            if day >= 5 {
                names.push("billing".into());
            }
            names.iter().zip(0..).map(|(name, n)| line(day, n, name)).collect()
        })
        .collect()
}

fn count(place: &Place, service: &str) -> i64 {
    place.number(&format!("SELECT COUNT(*) AS n FROM events WHERE service = '{service}'"))
}

#[test]
fn a_burst_of_strangers_takes_no_services_name_and_a_new_service_gets_the_least_used_ones() {
    let place = Place::with(CONFIG);
    place.write("mainlog", days().concat());
    place.run(&["backfill"]).ends(0);
    let counts = ["shop", "wiki", "old"].map(|name| count(&place, name));
    assert_eq!(counts, [9, 9, 2]);
    assert_eq!(
        place.number("SELECT COUNT(*) AS n FROM events WHERE service LIKE 'stranger%'"),
        0
    );
    // Its third day is the first on which it was used more than the one that gave way.
    assert_eq!(count(&place, "billing"), 3);
    assert_eq!(count(&place, "unattributed"), 52);
    let status = place.run(&["status"]).ends(0).out;
    assert!(
        status.contains("services: all 10 of store.services_max are in use"),
        "{status}"
    );
    let changes = place.store().attribution().changes().unwrap();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(
        (changes[0].note.reason, &changes[0].note.services.ended[..]),
        (Reason::Eviction, &["old".to_owned()][..])
    );
    // The one that gave way comes back once it is used again.
    let more: String = (10..=13).map(|day| line(day, 0, "old")).collect();
    place.write("mainlog", days().concat() + &more);
    place.run(&["backfill"]).ends(0);
    assert_eq!((count(&place, "old"), count(&place, "unattributed")), (3, 55));
    assert_eq!(count(&place, "billing"), 3);
}

#[test]
fn names_are_the_same_in_one_run_and_in_many() {
    let (whole, parts) = (Place::with(CONFIG), Place::with(CONFIG));
    whole.write("mainlog", days().concat());
    whole.run(&["backfill"]).ends(0);
    let lines: Vec<String> = days().concat().split_inclusive('\n').map(str::to_owned).collect();
    for upto in (1..lines.len()).step_by(7).chain([lines.len()]) {
        parts.write("mainlog", lines[..upto].concat());
        parts.run(&["backfill"]).ends(0);
    }
    assert_same_rows(&whole.rows(), &parts.rows());
}

#[test]
fn names_that_every_log_has_take_no_place_read_or_relabelled() {
    let rule = "[[service]]\nname = \"none\"\nmatch = [{ client = \"nosuch\" }]\n";
    let place = Place::with(&format!("{CONFIG}{rule}"));
    let bounce = line(1, 1, "x").replace("x@example.org", "<>");
    place.write("mainlog", line(1, 0, "shop") + &bounce);
    place.run(&["backfill"]).ends(0);
    assert_eq!(count(&place, "unattributed"), 2);
    place.write("mailpulse.toml", CONFIG);
    place.run(&["services", "relabel"]).ends(0);
    assert_eq!(count(&place, "bounces"), 1);
    let names = || {
        let store = place.store();
        let source = store.positions().source("mx1", "exim").unwrap();
        let names = store.services().derived(source).unwrap().into_iter();
        names.map(|state| state.name).collect::<Vec<_>>()
    };
    let relabelled = names();
    assert!(!relabelled.contains(&"bounces".to_owned()), "{relabelled:?}");
    place.write(
        "mainlog",
        line(1, 0, "shop") + &bounce + &line(2, 0, "shop") + &line(2, 1, "x").replace("x@example.org", "<>"),
    );
    place.run(&["backfill"]).ends(0);
    assert_eq!((count(&place, "bounces"), names()), (2, vec!["shop".to_owned()]));
}
