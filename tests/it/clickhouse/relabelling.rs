//! Rows that are attributed anew are corrected on the server too.

use super::Lab;
use crate::logs::simulated;

#[test]
#[ignore = "lab: needs chdb"]
fn rows_that_are_attributed_anew_are_corrected_there() {
    let lab = Lab::new();
    let log = lab.place.write("mainlog", simulated(600_000, 71));
    lab.run(&["backfill", "-q", "--host", "mx1", log.to_str().unwrap()])
        .ends(0);
    lab.ship().ends(0);
    lab.assert_equal();
    lab.configure("[[service]]\nname = \"all\"\nmatch = [{ sender_domain = \"*\" }]\n");
    let run = lab.run(&["services", "relabel", "--format", "csv"]).ends(0);
    assert!(run.out.contains(",all,"), "{}", run.out);
    assert!(lab.waiting().payloads > 0);
    lab.ship().ends(0);
    lab.assert_equal();
    assert_eq!(lab.waiting().payloads, 0);
    lab.run(&["services", "relabel"]).ends(0);
    assert_eq!(lab.waiting().payloads, 0, "a second run has nothing to send");
}
