//! How much mail is missing, and what became of it.

use crate::analysis::incident::Incident;
use crate::analysis::incident::report::hurt;
use crate::detect::impact::{Impact, ServiceImpact};
use crate::model::human;

/// What missing mail came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MissingMail {
    /// All of it.
    pub all: u64,
    /// Was not sent.
    pub lost: u64,
    /// Came later.
    pub late: u64,
    /// Is still tried or queued.
    pub waiting: u64,
    /// Was sent back.
    pub bounced: u64,
    /// Nothing is decided.
    pub open: u64,
}

/// What is missing, by what became of it.
#[must_use]
pub(crate) fn missing(incident: &Incident) -> MissingMail {
    let mut sum = MissingMail::default();
    for one in hurt(incident) {
        let ServiceImpact { missing, impact, .. } = one;
        sum.all += missing;
        match impact {
            Impact::Lost => sum.lost += missing,
            Impact::Delayed => {
                sum.late += one.delivered_late.min(*missing);
                sum.lost += missing.saturating_sub(one.delivered_late);
            }
            Impact::Waiting => sum.waiting += missing,
            Impact::Bounced => sum.bounced += missing,
            Impact::Unknown | Impact::Rerouted | Impact::None => sum.open += missing,
        }
    }
    sum
}

/// How much is missing, and whether it is lost or late.
pub(super) fn missing_words(missing: MissingMail) -> Vec<String> {
    let MissingMail {
        all,
        lost,
        late,
        waiting,
        bounced,
        open,
    } = missing;
    if all == 0 {
        return Vec::new();
    }
    let count = |number: u64| human::count(i64::try_from(number).unwrap_or(i64::MAX));
    let mails = human::counted(all, "mail");
    let are = if all == 1 { "is" } else { "are" };
    let fates = [
        (waiting, "still tried or queued"),
        (late, "late"),
        (lost, "lost"),
        (bounced, "sent back"),
        (open, "not decided yet"),
    ];
    let fates: Vec<(u64, &str)> = fates.into_iter().filter(|(number, _)| *number > 0).collect();
    let fate = match fates.as_slice() {
        [(_, "lost")] => "lost rather than late".to_owned(),
        [(_, "late")] => "late rather than lost".to_owned(),
        [(_, "not decided yet")] => "whether lost or late is not decided yet".to_owned(),
        [(_, fate)] => (*fate).to_owned(),
        many => {
            let many: Vec<String> = many
                .iter()
                .map(|(number, fate)| format!("{} {fate}", count(*number)))
                .collect();
            many.join(", ")
        }
    };
    vec![format!("{mails} {are} missing: {fate}")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_mail_is_lost_or_late() {
        let words = |missing: MissingMail| missing_words(missing).join("");
        let of = |lost: u64, late: u64, open: u64| MissingMail {
            all: lost + late + open,
            lost,
            late,
            open,
            ..MissingMail::default()
        };
        assert_eq!(words(of(41, 0, 0)), "41 mails are missing: lost rather than late");
        assert_eq!(words(of(0, 1, 0)), "1 mail is missing: late rather than lost");
        assert_eq!(
            words(of(0, 0, 2)),
            "2 mails are missing: whether lost or late is not decided yet"
        );
        assert_eq!(words(of(1, 2, 0)), "3 mails are missing: 2 late, 1 lost");
        assert_eq!(words(of(0, 0, 0)), "");
    }
}
