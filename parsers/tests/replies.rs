//! Reasons and providers' codes of the replies in `corpus/replies`. One half was used for tuning; the other shows how well
//! a reply is told that was not.

mod reply_corpus;

use mailpulse_parsers::reply::Reason;
use reply_corpus::{entries, matrix};

/// Of each class in a half, at least so many percent are told.
#[track_caller]
fn each_class_is_told(half: &str, percent: usize) {
    let entries = entries(half);
    let wrong = |class: &str| -> Vec<String> {
        let of_class = entries.iter().filter(|entry| entry.expected == class);
        let read = of_class.map(|entry| (entry.read().reason.as_str(), &entry.text));
        read.filter(|(read, _)| *read != class)
            .map(|(read, text)| format!("{read}: {text}"))
            .collect()
    };
    for row in matrix(&entries) {
        let is_enough = 100 * row.right >= percent * row.lines;
        let others = &row.wrong;
        let lines = wrong(row.class).join("\n");
        assert!(
            is_enough,
            "{}: {} of {}, {others:?}\n{lines}",
            row.class, row.right, row.lines
        );
    }
}

#[test]
fn each_class_is_told_in_the_half_that_was_used_for_tuning() {
    each_class_is_told("tuning.tsv", 90);
}

#[test]
fn nine_of_ten_are_told_in_each_class_of_the_half_that_was_not_used() {
    each_class_is_told("held-out.tsv", 90);
}

#[test]
fn each_half_has_every_class_and_no_line_of_the_other() {
    let (tuning, held_out) = (entries("tuning.tsv"), entries("held-out.tsv"));
    assert!(tuning.len() <= held_out.len());
    assert_eq!(matrix(&tuning).len(), Reason::ALL.len());
    assert_eq!(matrix(&held_out).len(), Reason::ALL.len());
    let known: Vec<_> = tuning.iter().map(|entry| (&entry.speaker, &entry.text)).collect();
    assert!(
        held_out
            .iter()
            .all(|entry| !known.contains(&(&entry.speaker, &entry.text)))
    );
    let told = |entry: &reply_corpus::Entry| Reason::ALL.iter().any(|reason| reason.as_str() == entry.expected);
    assert!(tuning.iter().chain(&held_out).all(told));
}

#[test]
fn providers_own_codes_are_told() {
    let mut seen = 0;
    for entry in entries("tuning.tsv").into_iter().chain(entries("held-out.tsv")) {
        if entry.provider_code.is_empty() {
            continue;
        }
        let read = entry.read().provider_code;
        let read = read.as_ref().map_or("", |code| code.as_str());
        assert_eq!(read, entry.provider_code, "{}", entry.text);
        seen += 1;
    }
    assert!(seen >= 40, "{seen}");
}
