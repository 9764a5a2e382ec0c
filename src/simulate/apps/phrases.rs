//! Words that several applications share.

use super::super::letter;
use super::super::prng::Rng;
use super::super::text::{Scene, fill};
use super::super::traffic::PlannedMail;

/// The relay that all eight services were told to use.
pub(super) const RELAY: &str = "mx1001.wikimedia.org";

/// A Java stack: `at` lines, a tab before each.
pub(super) fn java(frames: &[&str]) -> String {
    frames.iter().map(|frame| format!("\tat {frame}\n")).collect()
}

/// File, line, function and code of a Python frame.
pub(super) type Frame = (&'static str, u32, &'static str, &'static str);

/// A Python traceback, the innermost frame last, and the exception.
pub(super) fn python(frames: &[Frame], exception: &str) -> String {
    let mut text = String::from("Traceback (most recent call last):\n");
    for (file, line, function, code) in frames {
        text.push_str(&format!("  File \"{file}\", line {line}, in {function}\n    {code}\n"));
    }
    text + exception + "\n"
}

/// Whom a mail that no relay took is for, first of all.
pub(super) fn recipient(mail: &PlannedMail) -> String {
    let draft = letter::draft(mail, false);
    draft
        .recipients
        .first()
        .map(|to| to.address.clone())
        .unwrap_or_default()
}

/// A user name of plain ASCII.
pub(super) fn user(rng: &mut Rng) -> &'static str {
    rng.pick(&[
        "amir",
        "bawolff",
        "chad",
        "daniel",
        "elukey",
        "fdans",
        "hashar",
        "joal",
        "krinkle",
        "legoktm",
        "milimetric",
        "nuria",
        "paladox",
        "reedy",
        "thcipriani",
        "tgr",
    ])
}

/// The name of a wiki.
pub(super) fn wiki(rng: &mut Rng) -> String {
    fill("{wiki}", &Scene { t: 0, host: "" }, rng)
}

/// A template of `text.rs`, without a scene.
pub(super) fn words(template: &str, rng: &mut Rng) -> String {
    fill(template, &Scene { t: 0, host: "" }, rng)
}

/// A UUID (version 4, as Celery names its tasks).
pub(super) fn uuid(rng: &mut Rng) -> String {
    words("{h8}-{h4}-4{h3}-a{h3}-{h12}", rng)
}

/// Times of some records in the hour that starts at `t` (seconds), in milliseconds: `mean` of them on average.
pub(super) fn times(t: i64, mean: f64, rng: &mut Rng) -> Vec<i64> {
    let n = rng.poisson(mean);
    (0..n).map(|_| t * 1000 + rng.secs(3_600_000)).collect()
}

/// A moment within the second `t`, in milliseconds.
pub(super) fn within(t: i64, rng: &mut Rng) -> i64 {
    t * 1000 + rng.secs(1000)
}
