//! What the detection says.

use super::fleet::{Id, Names};
use mailpulse_time::Minute;
use serde::{Deserialize, Serialize};

/// Why there is an alarm: zero has several causes, and each needs another person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum State {
    /// Volume far below what this hour of this week brings.
    Dropped,
    /// Accepted, and not delivered.
    Stuck,
    /// Applications fail to hand mail in, or a relay rejects it.
    Refused,
    /// The log itself does not arrive: no verdict on the mail.
    Blind,
    /// Lines arrive and do not parse: no verdict either.
    Unreadable,
    /// A provider defers far more of our mail than usual, or refuses nearly all of it.
    Throttled,
    /// Far more mail bounces, expires or is discarded than usual.
    Failing,
    /// Mail that comes at set times did not come.
    Overdue,
}

impl State {
    /// All of them.
    pub const ALL: [State; 8] = [
        State::Dropped,
        State::Stuck,
        State::Refused,
        State::Blind,
        State::Unreadable,
        State::Throttled,
        State::Failing,
        State::Overdue,
    ];

    /// The word in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Dropped => "dropped",
            State::Stuck => "stuck",
            State::Refused => "refused",
            State::Blind => "blind",
            State::Unreadable => "unreadable",
            State::Throttled => "throttled",
            State::Failing => "failing",
            State::Overdue => "overdue",
        }
    }

    /// What the word means, and whom it concerns; one sentence each.
    pub fn meaning(self) -> &'static str {
        match self {
            State::Dropped => {
                "far less mail than this hour of this week usually brings. Ask who sends it: whether the service, its host or \
                 its relay still works"
            }
            State::Stuck => {
                "mail is accepted and not delivered: deliveries are missing and the queue grows. Look at the relay's queue and \
                 at what the next hop answers"
            }
            State::Refused => {
                "mail is not taken in: applications fail to hand it over, or a relay rejects it. Look at the answers in the \
                 application's log or the relay's"
            }
            State::Blind => {
                "the log itself does not arrive, so that nothing can be said of the mail. Look at the host, at its logging and at \
                 `mailpulse tail`"
            }
            State::Unreadable => {
                "lines arrive and do not parse, so that nothing can be said of the mail. `mailpulse status` names the lines, \
                 `mailpulse parse --explain` the place"
            }
            State::Throttled => {
                "a provider defers far more of our mail than usual, or refuses nearly all of it; how much mail there is does not \
                 matter. Look at the code and the reason of its replies, at the reputation of our addresses, and at what sends so much"
            }
            State::Failing => {
                "far more mail bounces, expires or is discarded than usual. Look at the code and the reason of the replies, and \
                 at what changed: addresses, content, the relay's configuration"
            }
            State::Overdue => {
                "mail that came at the same time of nearly every day, or that a schedule declares, has not come. Look at the job that sends it: whether it ran, and \
                 what it says"
            }
        }
    }

    /// Whether mail is taken, and does not arrive.
    pub fn is_about_outcomes(self) -> bool {
        self == State::Stuck || self.is_of_outcomes()
    }

    /// Whether it is a verdict on what became of mail, however much there is.
    pub fn is_of_outcomes(self) -> bool {
        matches!(self, State::Throttled | State::Failing)
    }

    /// Whether it is a verdict on the mail, and not on what can be seen of it.
    pub fn is_about_mail(self) -> bool {
        !matches!(self, State::Blind | State::Unreadable)
    }
}

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// All services together.
    Fleet,
    /// A host whose MTA passes mail on.
    Relay(Id),
    /// A host whose log is meant, not its mail.
    Host(Id),
    /// A hostgroup.
    Hostgroup(Id),
    /// A service.
    Service(Id),
    /// Who runs the receiving side.
    Provider(Id),
}

impl Scope {
    /// Kind and name, as in answers.
    pub fn named<'n>(&self, names: &'n Names) -> (&'static str, &'n str) {
        match *self {
            Scope::Fleet => ("fleet", "all"),
            Scope::Relay(id) => ("relay", names.host(id)),
            Scope::Host(id) => ("host", names.host(id)),
            Scope::Hostgroup(id) => ("hostgroup", names.hostgroup(id)),
            Scope::Service(id) => ("service", names.service(id)),
            Scope::Provider(id) => ("provider", names.provider(id)),
        }
    }
}

/// Which layer speaks, surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Layer {
    /// A busy relay is silent.
    Silence,
    /// Applications or MTAs tell of failures.
    Witness,
    /// Relays reject.
    Rejects,
    /// Far more attempts are put off than usual.
    Deferral,
    /// Far more mail fails than usual.
    Outcome,
    /// What is accepted is not delivered.
    Queue,
    /// A busy series that is too young for its weeks to be known sends nothing at all.
    Gap,
    /// Mail that the operator promised for a set time is missing.
    Declared,
    /// Mail of a set time is missing.
    Schedule,
    /// The count is below expectation.
    Volume,
    /// The log does not arrive.
    Sight,
    /// The log does not parse.
    Parse,
}

impl Layer {
    /// Whether it speaks of what became of mail, and not of how much there is.
    pub fn is_of_outcomes(self) -> bool {
        matches!(self, Layer::Deferral | Layer::Outcome)
    }
}

/// What a layer found, times in minutes since 1970 as the layers count them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LayerFinding {
    /// When it began, estimated.
    pub onset: i64,
    /// What was to be expected since.
    pub expected: f64,
    /// What came.
    pub observed: f64,
    /// How far the evidence is beyond its limit, as a power of ten.
    pub score: f64,
    /// Too little history to be sure.
    pub provisional: bool,
}

impl LayerFinding {
    /// The minute in which it began.
    pub(super) fn began(self) -> Minute {
        Minute::new(self.onset)
    }
}

/// What a step of a layer brings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Turn {
    /// Something is wrong.
    Opened(LayerFinding),
    /// It is over since that minute.
    Closed(i64),
}

/// What several alarms have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// The relay.
    pub relay: Id,
    /// Its first minute without mail.
    pub silent_from: Minute,
    /// The minute in which mail came back.
    pub silent_to: Option<Minute>,
    /// What speaks for it.
    pub evidence: Vec<String>,
}

/// A service in an alarm of something larger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Which.
    pub service: Id,
    /// The layer that found it by its own mail; `None` if it is affected because of its routes.
    pub judged: Option<(Layer, State)>,
    /// Why it is here.
    pub reason: String,
}

/// What an alarm was about when it was first told, and its onset as it was known then: its name for life.
pub type Named = (Scope, Minute);

/// One alarm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// Its number within the replay.
    pub id: usize,
    /// Its name: what it is about and its onset may become better known.
    pub named: Named,
    /// About what.
    pub scope: Scope,
    /// Why.
    pub state: State,
    /// When it began, estimated.
    pub onset: Minute,
    /// When the first layer knew.
    pub detected: Minute,
    /// When it was over.
    pub ended: Option<Minute>,
    /// Why, where it is not that its mail is back.
    pub end: Option<String>,
    /// Expected from the onset to the detection.
    pub expected: f64,
    /// Observed in that time.
    pub observed: f64,
    /// How far the evidence is beyond its limit, as a power of ten.
    pub score: f64,
    /// Too little history to be sure.
    pub provisional: bool,
    /// What its members have in common.
    pub cause: Option<Cause>,
    /// Services.
    pub members: Vec<Member>,
    /// Layers that found it, each with its minute.
    pub layers: Vec<(Layer, Minute)>,
    /// Sentences for people.
    pub evidence: Vec<String>,
    /// All that send through it send less at once.
    pub everyone: bool,
    /// The larger alarm that took it in; it ended then.
    pub part_of: Option<usize>,
    /// The name of that alarm.
    pub whole: Option<Named>,
    /// The names of those that it took in.
    pub took_in: Vec<Named>,
}

impl Alarm {
    /// Whether it lasts in any of the minutes `[from, to)`.
    pub fn overlaps(&self, from: Minute, to: Minute) -> bool {
        self.onset < to && self.ended.is_none_or(|ended| ended > from)
    }
}

/// What an alarm does in a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// New.
    Opened(usize),
    /// Says more than before.
    Changed(usize),
    /// Taken in by a larger one.
    Merged(usize, usize),
    /// Over.
    Closed(usize),
}
