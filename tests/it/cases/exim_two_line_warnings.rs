use super::{read, told};

#[test]
fn the_second_line_of_a_warning_is_no_broken_line() {
    let place = read("01-exim-two-line-warnings", "exim", "2025", [3, 6, 0]);
    assert_eq!(
        told(&place, "kind, destination, messages"),
        ["accepted  1", "delivered remote 1", "completed  1"]
    );
}
