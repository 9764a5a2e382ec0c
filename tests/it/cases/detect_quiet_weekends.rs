//! 53: services that send in office hours alone. Warned every weekend. department-of-veterans-affairs/va.gov-cms#20156,
//! va.gov-team#121314.

use super::input;
use crate::util::Place;
use serde_json::Value;

#[test]
#[ignore = "lab: needs python3"]
fn six_services_with_quiet_weekends_give_eighteen_alarms_at_most_in_nine_months() {
    let place = Place::new();
    let made = crate::lab::program("python3")
        .arg(input("53-detect-quiet-weekends", "gen.py"))
        .arg("weekend")
        .current_dir(place.path(""))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", made.stderr.escape_ascii());
    let run = place.run(&[
        "detect",
        "--csv",
        "weekend.csv",
        "--zone",
        "Europe/Berlin",
        "--format",
        "json",
    ]);
    assert!(run.code < 2, "{}", run.err);
    let alarms: Vec<Value> = serde_json::from_str(&run.out).unwrap();
    // What is provisional (the first two weeks) pages nobody alone.
    let (young, alarms): (Vec<_>, Vec<_>) = alarms.iter().partition(|alarm| alarm["provisional"] == true);
    assert!(alarms.len() <= 18, "{} alarms: {alarms:#?}", alarms.len());
    assert!(young.len() <= 13, "{} provisional ones: {young:#?}", young.len());
}
