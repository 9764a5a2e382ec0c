use super::{input, read_with, told};

#[test]
fn hours_of_a_twelve_hour_clock_and_causes_below_the_record() {
    let case = "39-app-jenkins-twelve-hour-clock";
    let config = std::fs::read_to_string(input(case, "jenkins.toml")).unwrap();
    let place = read_with(case, &config, [2, 13, 0]);
    assert_eq!(
        told(&place, "ts, kind, service, reason, smtp_code"),
        [
            "2018-06-06T19:02:11Z submit_failed jenkins connection_refused null",
            "2018-06-07T00:30:00Z submit_failed jenkins no_such_user 550"
        ]
    );
}
