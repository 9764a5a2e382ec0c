//! Exactly once, whatever the profile of the user says.

use super::{Lab, Server};
use crate::logs::simulated;
use crate::util::Place;

/// A lab whose server has a profile, with rows that wait to be sent.
fn lab(profile: &[&str]) -> Lab {
    let place = Place::new();
    let server = Server::with(place.path("server"), 0, profile);
    let lab = Lab { place, server };
    lab.configure("");
    lab.run(&["store", "migrate"]).ends(0);
    let log = lab.place.write("mainlog", simulated(300_000, 71));
    lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    lab
}

/// Sends; the answer to the first batch is lost, so that it is sent twice.
fn ship_twice(lab: &Lab) {
    lab.server.fault("lose-answer");
    lab.ship().ends(2);
    lab.ship().ends(0);
    lab.assert_equal();
    assert_eq!(lab.waiting().payloads, 0);
}

/// <https://clickhouse.com/docs/operations/settings/settings#deduplicate_insert>: the main switch since 26.2.
#[test]
#[ignore = "lab: needs chdb"]
fn a_profile_that_switches_deduplication_off_doubles_nothing() {
    for profile in [
        &["deduplicate_insert=disable"][..],
        &["insert_deduplicate=0"],
        &["deduplicate_blocks_in_dependent_materialized_views=0", "async_insert=1"],
        &[
            "max_insert_block_size=100",
            "input_format_parquet_max_block_size=100",
            "max_insert_block_size_bytes=1000",
        ],
    ] {
        let args: Vec<&str> = profile.iter().flat_map(|pair| ["--profile", pair]).collect();
        ship_twice(&lab(&args));
    }
}

#[test]
#[ignore = "lab: needs chdb"]
fn a_profile_that_fixes_what_sending_needs_is_refused_with_the_cure_and_what_waits_stays() {
    let lab = lab(&[
        "--profile",
        "deduplicate_insert=disable",
        "--fixed",
        "deduplicate_insert",
    ]);
    let run = lab.ship().ends(2);
    for word in [
        "fixes `deduplicate_insert` to `disable` for user mailpulse",
        "ALTER USER mailpulse SETTINGS deduplicate_insert = 'enable'",
        "0 rows in 0 batches were sent before",
    ] {
        assert!(run.err.contains(word), "{word}: {}", run.err);
    }
    assert_eq!(lab.there(&["--sql", "SELECT COUNT(*) AS n FROM events"])[0]["n"], 0);
    assert!(
        lab.waiting().payloads > 0 && lab.waiting().refused == 0,
        "{:?}",
        lab.waiting()
    );
}

#[test]
#[ignore = "lab: needs chdb"]
fn a_proxy_that_takes_settings_out_is_found_by_reading_back() {
    let lab = lab(&[
        "--profile",
        "deduplicate_insert=disable",
        "--deaf",
        "deduplicate_insert",
    ]);
    let run = lab.ship().ends(2);
    assert!(
        run.err.contains("fixes `deduplicate_insert`") && run.err.contains("a proxy in between"),
        "{}",
        run.err
    );
    assert_eq!(lab.there(&["--sql", "SELECT COUNT(*) AS n FROM events"])[0]["n"], 0);
}

#[test]
#[ignore = "lab: needs chdb"]
fn what_a_profile_fixes_rightly_and_what_an_older_server_does_not_know_is_not_sent() {
    // Fixed to what is wanted anyway, or to a number that is as good: no reason to refuse.
    ship_twice(&lab(&[
        "--profile",
        "max_insert_block_size=600000",
        "--fixed",
        "max_insert_block_size",
        "--fixed",
        "deduplicate_insert",
    ]));
    ship_twice(&lab(&[
        "--unknown",
        "deduplicate_insert",
        "--unknown",
        "max_insert_block_size_bytes",
        "--unknown",
        "input_format_max_block_size_bytes",
    ]));
    let lab = lab(&["--unknown", "insert_deduplication_token"]);
    let run = lab.ship().ends(2);
    assert!(
        run.err
            .contains("does not know the setting `insert_deduplication_token`"),
        "{}",
        run.err
    );
}
