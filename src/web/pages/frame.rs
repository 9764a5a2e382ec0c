//! What stands around every page: title, navigation, and how old it is.

use crate::model::time::UtcMs;
use crate::web::app::App;
use crate::web::links::Links;

/// Pages of the navigation.
const PAGES: [(&str, &str); 5] = [
    ("", "Now"),
    ("alarms", "Alarms"),
    ("routes", "Routes"),
    ("sources", "Sources"),
    ("trace", "Trace"),
];

/// What stands around a page.
#[derive(Debug, Clone)]
pub(crate) struct PageFrame {
    pub title: String,
    /// The page in the navigation that it belongs to.
    pub here: &'static str,
    pub links: Links,
    /// Of when it is.
    pub as_of: String,
    /// What it shows is not of now.
    pub is_late: bool,
    /// Lines above it: what it lacks, and what is not as usual.
    pub notes: Vec<String>,
    /// It is asked for again by itself after so many seconds.
    pub refresh_s: Option<u64>,
    /// Where its updates come from.
    pub stream: Option<String>,
    /// The time on the clock, UTC milliseconds, where it does not stand still.
    pub now_ms: Option<UtcMs>,
}

impl PageFrame {
    /// The frame of a page as of now.
    pub(crate) fn new(app: &App, links: &Links, title: &str, here: &'static str) -> PageFrame {
        let clock = |ms: i64| links.zone().clock(UtcMs::new(ms));
        let now_ms = app.answers.now_ms();
        let mut notes = Vec::new();
        if app.answers.is_standing() {
            notes.push(format!(
                "The clock stands still at {}: this is how it looked then.",
                clock(now_ms.get())
            ));
        }
        PageFrame {
            title: title.to_owned(),
            here,
            links: links.clone(),
            as_of: format!("as of {}", clock(now_ms.get())),
            is_late: false,
            notes,
            refresh_s: None,
            stream: None,
            now_ms: (!app.answers.is_standing()).then_some(now_ms),
        }
    }

    /// Lets a page follow what comes, where the clock goes on.
    pub(crate) fn live(mut self) -> PageFrame {
        self.stream = self.now_ms.map(|_| self.links.file("events"));
        self
    }

    /// Of when an answer is that the page shows.
    #[must_use]
    pub(crate) fn of_answer(mut self, as_of_ms: UtcMs) -> PageFrame {
        self.as_of = format!("as of {}", self.links.zone().clock(as_of_ms));
        self
    }

    /// Says where the history ends, if that is not now.
    pub(crate) fn is_ended(&mut self, end_ms: UtcMs, now_ms: UtcMs) {
        if end_ms < now_ms {
            self.is_late = true;
            self.notes.push(format!(
                "The newest event is of {}: this is how it looked then.",
                self.links.zone().clock(end_ms - 1)
            ));
        }
    }

    /// The zone of its times.
    pub(crate) fn zone(&self) -> &str {
        self.links.zone().name()
    }

    /// A file of ours.
    pub(crate) fn file(&self, name: &str) -> String {
        self.links.file(name)
    }

    /// A link to a page.
    pub(crate) fn link(&self, page: &str) -> String {
        self.links.to(page, &[])
    }

    /// Whether it has a script.
    pub(crate) fn is_live(&self) -> bool {
        self.stream.is_some()
    }

    /// The navigation.
    pub(crate) fn pages(&self) -> &'static [(&'static str, &'static str)] {
        &PAGES
    }

    /// The program's version.
    pub(crate) fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

/// Words of a command as a sentence.
pub(crate) fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    let first = chars
        .next()
        .map(|first| first.to_uppercase().collect::<String>())
        .unwrap_or_default();
    format!("{first}{}.", chars.as_str().trim_end_matches('.'))
}
