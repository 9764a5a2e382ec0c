//! The mail of a stretch of time, as far as an outage is judged by it: a few sums, where the detection sees each minute's flows.

use super::bounced::CopiesByService;
use super::fleet::{Flow, Id, Renamed};
use mailpulse_time::Minute;

/// Mails of a service in one minute, mails that could not be handed in, and further attempts for them.
pub type MinuteCounts = [i64; 3];

/// The mail of some minutes of one day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailPart {
    /// The first minute, and the one after the last.
    pub span: (Minute, Minute),
    /// By service the counts of each minute; empty where none is known.
    pub counts: Vec<Vec<MinuteCounts>>,
    /// What MTAs took in all of it.
    pub ways: Vec<Flow>,
    /// What became of services' copies, where that is not told apart.
    pub copies: CopiesByService,
    /// Names that end or begin anew with its first minute.
    pub renamed: Renamed,
}

impl MailPart {
    /// Services with counts.
    pub fn services(&self) -> impl Iterator<Item = (Id, &[MinuteCounts])> {
        let all = (0..).zip(&self.counts).filter(|(_, counts)| !counts.is_empty());
        all.map(|(service, counts)| (service, counts.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::impact_question::ImpactQuestion;
    use super::super::sample::{MONDAY, NIGHT, ONE, Trouble, assess_in, fleet};
    use mailpulse_time::Minute;

    #[test]
    fn parts_of_any_length_give_the_same_judgement() {
        let stop = MONDAY + 16 * 1440 + 1135;
        let mut fleet = fleet(3, 18, &NIGHT, &Trouble::default());
        let renamed = &mut fleet.minutes[20_000].renamed;
        (renamed.ended, renamed.anew) = (vec![2], vec![3]);
        let question = ImpactQuestion {
            from: Minute::new(stop),
            to: Minute::new(stop + 425),
            relay: Some(ONE),
            ..ImpactQuestion::default()
        };
        let days = assess_in(&fleet, &question, 1440);
        assert!(days.len() > 5, "{days:?}");
        assert_eq!(days, assess_in(&fleet, &question, 1));
        assert_eq!(days, assess_in(&fleet, &question, 77));
    }
}
