//! States as people see them: a word, a shape, and a colour, so that none of them is needed alone.

use crate::analysis::board::RowState;
use crate::analysis::verdict::MailStanding;
use crate::detect::alarm::State;

/// A word with its shape.
#[derive(Debug, Clone)]
pub(crate) struct StateMark {
    /// The word.
    pub word: String,
    /// The class that gives the colour: `ok`, `bad`, `unknown`, `calm`.
    pub class: &'static str,
    /// The shape, as the data of a path in a square of 12.
    pub shape: &'static str,
}

/// A disc: all is well.
const DISC: &str = "M6 1.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9z";
/// A triangle: something is wrong.
const TRIANGLE: &str = "M6 .8L11.6 11H.4z";
/// A square with a hole: nobody knows.
const FRAME: &str = "M1 1h10v10H1zM3.2 3.2v5.6h5.6V3.2z";
/// A bar: nothing happens, and nothing should.
const BAR: &str = "M1 5h10v2H1z";

impl StateMark {
    fn new(word: &str, class: &'static str, shape: &'static str) -> StateMark {
        StateMark {
            word: word.to_owned(),
            class,
            shape,
        }
    }

    /// Of an alarm's state.
    pub(crate) fn of_alarm(state: State, is_provisional: bool) -> StateMark {
        let word = match is_provisional {
            true => format!("{} (provisional)", state.as_str()),
            false => state.as_str().to_owned(),
        };
        match (state.is_about_mail(), is_provisional) {
            (false, _) => StateMark::new(&word, "unknown", FRAME),
            (true, true) => StateMark::new(&word, "calm", TRIANGLE),
            (true, false) => StateMark::new(&word, "bad", TRIANGLE),
        }
    }

    /// Of a row of a board.
    pub(crate) fn of_row(state: &RowState) -> StateMark {
        match state {
            RowState::Alarm(alarm) => StateMark::of_alarm(*alarm, false),
            RowState::Provisional(alarm) => StateMark::of_alarm(*alarm, true),
            RowState::Ok => StateMark::new(state.as_str(), "ok", DISC),
            RowState::Quiet | RowState::New => StateMark::new(state.as_str(), "calm", BAR),
        }
    }

    /// Of everything.
    pub(crate) fn of_standing(standing: MailStanding) -> StateMark {
        match standing {
            MailStanding::Flowing => StateMark::new("flowing", "ok", DISC),
            MailStanding::Unknown => StateMark::new("unknown", "unknown", FRAME),
            MailStanding::Trouble => StateMark::new("trouble", "bad", TRIANGLE),
        }
    }

    /// Of a source, by its state's word.
    pub(crate) fn of_source(word: &str) -> StateMark {
        match word {
            "ok" => StateMark::new(word, "ok", DISC),
            "damaged" => StateMark::new(word, "bad", TRIANGLE),
            _ => StateMark::new(word, "unknown", FRAME),
        }
    }

    /// Of what an outage did to a service.
    pub(crate) fn of_impact(word: &str) -> StateMark {
        match word {
            "none" | "rerouted" => StateMark::new(word, "ok", DISC),
            "unknown" => StateMark::new(word, "unknown", FRAME),
            _ => StateMark::new(word, "bad", TRIANGLE),
        }
    }

    /// Of something that is over.
    pub(crate) fn over(word: &str) -> StateMark {
        StateMark::new(word, "calm", BAR)
    }
}
