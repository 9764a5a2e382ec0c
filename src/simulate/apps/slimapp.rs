//! IEG grant review and Wikimania scholarships: Monolog's logstash format, an object a line.
//!
//! PHPMailer's text takes the place of the application's, so a mail that failed is known by its `method`. It is lost.

use serde_json::{Value, json};

use super::super::prng::Rng;
use super::application::Application;
use super::attempts::{Attempt, AttemptOutcome};
use super::log_writer::{LogWriter, RecordMark};
use super::phrases::{recipient, times, user, within};
use super::stamps::Moment;

/// What sets the two applications apart.
pub(super) struct Site {
    /// Type and channel.
    channel: &'static str,
    /// Where it mails from.
    urls: [&'static str; 2],
    /// The namespace of its own classes.
    namespace: &'static str,
}

pub(super) static IEGREVIEW: Site = Site {
    channel: "iegreview",
    urls: ["/account/recover", "/admin/users/user"],
    namespace: "Wikimedia\\IEGReview",
};
pub(super) static SCHOLARSHIPS: Site = Site {
    channel: "scholarships",
    urls: ["/apply", "/account/recover"],
    namespace: "Wikimania\\Scholarship",
};

pub(super) struct Slimapp {
    journals: Vec<LogWriter>,
    site: &'static Site,
}

impl Slimapp {
    pub(super) fn new(journals: Vec<LogWriter>, site: &'static Site) -> Self {
        Self { journals, site }
    }

    fn push(
        &mut self,
        ms: i64,
        mark: RecordMark,
        (level, url, method, message): (&str, &str, &str, &str),
        rng: &mut Rng,
    ) {
        let mut object = json!({
            "@timestamp": Moment::new(ms).php_micros(rng.below(1000)),
            "@version": 1,
            "host": "krypton",
            "message": message,
            "type": self.site.channel,
            "channel": self.site.channel,
            "level": level,
            "process_id": 100 + rng.below(32_000),
            "url": url,
            "method": method,
        });
        if level == "ERROR" {
            object["exception"] = Value::Object(Default::default());
        }
        self.journals[0].push(ms, mark, format!("{object}\n"));
    }
}

impl Application for Slimapp {
    fn hour(&mut self, t: i64, rng: &mut Rng) {
        let namespace = self.site.namespace;
        for ms in times(t, 1.6, rng) {
            match rng.below(10) {
                0 => {
                    let method = format!("{namespace}\\Dao\\AbstractDao::fetchAll");
                    let message = "SQLSTATE[HY000] [2002] Connection refused";
                    self.push(
                        ms,
                        RecordMark::Everyday,
                        ("ERROR", "/proposals/search", &method, message),
                        rng,
                    );
                }
                1..=3 => {
                    let message = format!("Login failed for {}", user(rng));
                    let record = (
                        "WARNING",
                        "/login",
                        "Wikimedia\\Slimapp\\Auth\\AuthManager::authenticate",
                        message.as_str(),
                    );
                    self.push(ms, RecordMark::Everyday, record, rng);
                }
                _ => {
                    let method = format!("{namespace}\\Controllers\\Review::handlePost");
                    let message = format!("Review saved by {}", user(rng));
                    self.push(ms, RecordMark::Everyday, ("INFO", "/review", &method, &message), rng);
                }
            }
        }
    }

    fn mail(&mut self, attempt: &Attempt, rng: &mut Rng) {
        let message = match attempt.outcome {
            AttemptOutcome::Accepted => return,
            AttemptOutcome::Refused => {
                "SMTP connect() failed. https://github.com/PHPMailer/PHPMailer/wiki/Troubleshooting".to_owned()
            }
            AttemptOutcome::TimedOut => "SMTP Error: Could not connect to SMTP host.".to_owned(),
            AttemptOutcome::Rejected => {
                let to = recipient(&attempt.mail);
                format!("SMTP Error: The following recipients failed: {to}")
            }
        };
        let record = (
            "ERROR",
            rng.pick(&self.site.urls),
            "Wikimedia\\Slimapp\\Mailer::mail",
            message.as_str(),
        );
        self.push(within(attempt.t, rng), RecordMark::Failed, record, rng);
    }

    fn journals(&mut self) -> &mut [LogWriter] {
        &mut self.journals
    }
}
