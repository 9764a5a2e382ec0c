//! The commented `mailpulse.toml` that `mailpulse init` writes: what was found here, and how to go on.

use std::fmt::Write;
use std::path::Path;

use jiff::Timestamp;

use super::discover::{self, DiscoveredLog};

/// A configuration for this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proposal {
    /// The text of the file; it loads as it is.
    pub text: String,
    /// What it was made of.
    pub findings: Vec<DiscoveredLog>,
}

const HEAD: &str = r#"# mailpulse.toml, written by `mailpulse init`. Run `mailpulse check` after a change.
# The files conf.d/*.toml beside it are read, too.

[store]
# url = "file:///var/lib/mailpulse"   # the default for root, and where it exists; otherwise the user's state folder
retain_days = 90
# derive = true              # also with rules: mail that matches none gets a service derived from its sender or client

[privacy]
# hash: equal addresses stay equal, and nobody can read them; keep; drop. With keep, local parts also name derived services
local_parts = "hash"
"#;

const TAIL: &str = r#"
# Services: who sends mail. Without rules, they are derived from the client and the sender's domain, and `mailpulse services
# discover` proposes rules. All keys of an entry must match, one matching entry is enough, and the first service wins. With
# the first rule, mail that matches none is `unattributed`, unless [store] has `derive = true`.
# [[service]]
# name = "gerrit"
# match = [{ sender = "gerrit@*" }, { client = "gerrit*.example.org" }]

# Your own networks, hosts, and domains: they decide which mail is outbound. Private networks, this host, and the hosts of
# all [[source]] tables are always yours. `mailpulse services discover` proposes networks of clients whose mail leaves again.
# [ours]
# networks = ["198.51.100.0/24"]
# hosts = ["*.example.org"]
# domains = ["example.org"]

# Hostgroups: where mail comes from.
# [[hostgroup]]
# name = "web"
# hosts = ["web[0-9]*.example.org"]
# networks = ["10.0.0.0/24"]
# inventory = "hosts.json"     # ansible-inventory --list, or a CSV of host,group

# Channels of alarms. `mailpulse alert test` sends a test. Mail is not available: mail is what fails in an outage.
# [[alert]]
# kind = "webhook"
# url = "https://hooks.slack.com/services/..."
# format = "slack"             # json, slack, teams, pagerduty, ntfy
# [[alert]]
# kind = "alertmanager"
# url = "http://127.0.0.1:9093"

# Web pages of `mailpulse run`: http://127.0.0.1:8425/ for the users of this machine.
# [serve]
# listen = "127.0.0.1:8425"
"#;

/// The line of [`TAIL`] in whose place networks are proposed.
const NETWORKS: &str = "# [ours]\n# networks = [\"198.51.100.0/24\"]\n";

impl Proposal {
    /// With networks that are probably ours: why, in comments, and the line of `[ours]`, which stays a comment until
    /// somebody has looked at it.
    #[must_use]
    pub(crate) fn with_networks(mut self, why: &str, line: &str) -> Self {
        self.text = self.text.replace(NETWORKS, &format!("{why}# [ours]\n# {line}\n"));
        self
    }
}

/// Looks at the machine below a root, `/` for this one, and proposes a configuration. `tz` is what the environment says of
/// the zone (`TZ`).
#[must_use]
pub(crate) fn propose(root: &Path, tz: Option<&str>, now: Timestamp) -> Proposal {
    let findings = discover::look(root, tz, now);
    let mut text = HEAD.to_owned();
    let journal = findings.iter().any(|finding| finding.kind == "journald");
    for finding in findings.iter().filter(|finding| finding.kind != "journald") {
        source(&mut text, finding, journal);
    }
    if findings.iter().all(|finding| finding.paths.is_empty()) {
        text.push_str("\n# No mail log was found on this machine. Name one:\n# [[source]]\n# kind = \"exim\"\n");
        text.push_str("# paths = [\"/srv/logs/mainlog*\"]\n");
    }
    text.push_str(TAIL);
    Proposal { text, findings }
}

/// A source; without files, what is there to know of it. `journal` says that this machine keeps one.
fn source(text: &mut String, finding: &DiscoveredLog, journal: bool) {
    text.push('\n');
    for note in &finding.notes {
        _ = writeln!(text, "# {note}");
    }
    if let Some(example) = described(finding.kind) {
        _ = writeln!(
            text,
            "# {} logs about mail here: {}",
            finding.kind,
            finding.paths.join(", ")
        );
        text.push_str(example);
        return;
    }
    if finding.paths.is_empty() {
        if journal {
            _ = writeln!(
                text,
                "# If it writes to the journal only:\n# [[source]]\n# kind = \"{}\"\n# journal = true",
                finding.kind
            );
        }
        return;
    }
    let paths: Vec<String> = finding
        .paths
        .iter()
        .map(|path| toml::Value::from(path.as_str()).to_string())
        .collect();
    _ = writeln!(text, "[[source]]\nkind = \"{}\"", finding.kind);
    _ = writeln!(text, "paths = [{}]", paths.join(", "));
    match &finding.timezone {
        Some(zone) => _ = writeln!(text, "timezone = {}", toml::Value::from(zone.as_str())),
        None => text.push_str("# timezone = \"UTC\"          # the zone that the log is written in\n"),
    }
    text.push_str("# host = \"mx1001\"            # default: this host\n");
}

/// The sources of an example, for what has no kind of its own.
fn described(kind: &str) -> Option<&'static str> {
    let example = match kind {
        "mailman" => include_str!("../../examples/mailman.toml"),
        "gitlab" => include_str!("../../examples/gitlab.toml"),
        _ => return None,
    };
    example.find("[[source]]").and_then(|at| example.get(at..))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::fs;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        root
    }

    /// Proposes, and loads the proposal.
    fn proposed(files: &[(&str, &str)]) -> (Proposal, Config) {
        let root = machine(files);
        let proposal = propose(root.path(), None, Timestamp::UNIX_EPOCH);
        let path = root.path().join("mailpulse.toml");
        fs::write(&path, &proposal.text).unwrap();
        let config = Config::load(&path).unwrap_or_else(|errors| panic!("{errors:#?}\n{}", proposal.text));
        (proposal, config)
    }

    /// Each part that is a comment loads as well when somebody removes the `#`.
    #[test]
    fn what_is_a_comment_is_right() {
        let proposal = propose(machine(&[]).path(), None, Timestamp::UNIX_EPOCH);
        let is_key =
            |line: &str| line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
        let text: Vec<&str> = proposal
            .text
            .lines()
            .map(|line| line.strip_prefix("# ").filter(|rest| is_key(rest)).unwrap_or(line))
            // An inventory is a file that must exist, and names its groups itself.
            .filter(|line| !line.starts_with("inventory"))
            .collect();
        let root = machine(&[("mailpulse.toml", &text.join("\n"))]);
        let config = Config::load(&root.path().join("mailpulse.toml"));
        let config = config.unwrap_or_else(|errors| panic!("{errors:#?}\n{}", text.join("\n")));
        assert_eq!(config.alerts.len(), 2);
        assert_eq!(config.services.names().len(), 1);
        assert_eq!(config.store.folder, Path::new("/var/lib/mailpulse"));
    }

    #[test]
    fn an_empty_machine() {
        let (proposal, config) = proposed(&[]);
        assert!(proposal.findings.is_empty() && config.sources.is_empty());
        assert!(proposal.text.contains("No mail log was found"));
    }

    #[test]
    fn debian_with_exim_postfix_and_applications() {
        let (proposal, config) = proposed(&[
            ("var/log/exim4/mainlog", ""),
            ("var/log/exim4/mainlog.2.gz", ""),
            ("etc/exim4/exim4.conf", "log_file_path = /var/log/exim4/%slog\n"),
            ("etc/timezone", "Europe/Berlin\n"),
            ("etc/postfix/main.cf", ""),
            ("var/log/mail.log", ""),
            ("var/log/oozie/oozie.log", ""),
            ("run/log/journal/x", ""),
        ]);
        let kinds: Vec<_> = proposal.findings.iter().map(|finding| finding.kind).collect();
        assert_eq!(kinds, ["exim", "postfix", "oozie", "journald"]);
        assert_eq!(proposal.findings[0].paths, ["/var/log/exim4/mainlog*"]);
        let read: Vec<_> = config.sources.iter().map(|source| source.kind.name()).collect();
        assert_eq!(read, ["exim", "postfix", "oozie"], "{}", proposal.text);
        for source in &config.sources {
            assert_eq!(source.timezone.iana_name(), Some("Europe/Berlin"));
        }
        assert!(config.source_of(Path::new("/var/log/mail.log.1")).is_some());
    }

    #[test]
    fn applications_at_their_usual_places() {
        let (proposal, config) = proposed(&[
            ("var/log/gerrit/error_log", ""),
            ("var/log/phd/daemons.log", ""),
            ("var/log/hue/runcpserver.log", ""),
            ("var/log/sentry/worker.log", ""),
            ("var/log/mailman3/smtp.log", ""),
            ("var/log/gitlab/sidekiq/current", ""),
        ]);
        let read: Vec<_> = config.sources.iter().map(|source| source.kind.name()).collect();
        let expected = ["gerrit", "phabricator", "hue", "sentry", "pattern", "json", "json"];
        assert_eq!(read, expected, "{}", proposal.text);
        assert_eq!(config.sources[4].service.as_deref(), Some("lists"));
        assert!(!proposal.text.contains("No mail log was found"));
    }

    #[test]
    fn a_journal_is_proposed_where_there_is_no_file() {
        let (proposal, config) = proposed(&[
            ("etc/postfix/main.cf", ""),
            ("etc/exim4/update-exim4.conf.conf", ""),
            ("var/log/journal/x", ""),
        ]);
        assert!(config.sources.is_empty());
        for kind in ["exim", "postfix"] {
            let source = format!("# [[source]]\n# kind = \"{kind}\"\n# journal = true\n");
            assert!(proposal.text.contains(&source), "{}", proposal.text);
        }
    }

    #[test]
    fn exim_says_where_it_logs_and_in_which_zone() {
        let (proposal, config) = proposed(&[
            ("srv/mail/main-20180606.log", ""),
            (
                "etc/exim/exim.conf",
                "timezone = UTC\nlog_file_path = syslog : /srv/mail/%s-%D.log\n",
            ),
            ("etc/timezone", "Europe/Berlin\n"),
            ("var/log/mail.log", ""),
        ]);
        assert_eq!(proposal.findings.len(), 1);
        assert_eq!(proposal.findings[0].paths, ["/srv/mail/main-*.log*"]);
        assert!(config.sources[0].matches(Path::new("/srv/mail/main-20180606.log.gz")));
        assert!(proposal.text.contains("Exim logs to syslog too"));
        assert_eq!(config.sources[0].timezone.iana_name(), Some("UTC"));
    }

    /// Arrivals at 18:00 UTC of a summer's day, as a log in some zone has them.
    fn log(hour: u32) -> String {
        format!("2018-06-06 {hour}:00:00 1fQcj2-0004xF-2W <= a@example.org H=x [192.0.2.1] P=esmtp S=900\n").repeat(5)
    }

    #[test]
    fn message_ids_prove_the_zone() {
        let zone = |files: &[(&str, &str)]| {
            let (proposal, config) = proposed(files);
            let zone = config.sources[0].timezone.clone();
            (
                zone.iana_name().map(str::to_owned),
                zone.to_offset(jiff::Timestamp::UNIX_EPOCH).seconds(),
                proposal.text,
            )
        };
        let berlin = ("etc/timezone", "Europe/Berlin\n");
        let (name, _, text) = zone(&[("var/log/exim4/mainlog", &log(20)), berlin]);
        assert_eq!(name.as_deref(), Some("Europe/Berlin"));
        assert!(text.contains("proved by the times in 5 message IDs"), "{text}");
        // A container in UTC whose Exim writes the host's local time, and the other way round.
        let (_, offset_s, text) = zone(&[("var/log/exim4/mainlog", &log(20))]);
        assert_eq!(offset_s, 7_200, "{text}");
        assert!(
            text.contains("timezone = \"+02:00\"") && text.contains("summer time"),
            "{text}"
        );
        let (name, _, text) = zone(&[("var/log/exim4/mainlog", &log(18)), berlin]);
        assert_eq!(name.as_deref(), Some("UTC"), "{text}");
        // Its own configuration is not believed against them.
        let utc = ("etc/exim4/exim4.conf", "timezone = UTC\n");
        let (name, _, text) = zone(&[("var/log/exim4/mainlog", &log(20)), berlin, utc]);
        assert_eq!(name.as_deref(), Some("Europe/Berlin"), "{text}");
        // The newest file counts.
        let old = ("var/log/exim4/mainlog.1", log(18));
        let (name, _, text) = zone(&[(old.0, &old.1), ("var/log/exim4/mainlog", &log(20)), berlin]);
        assert_eq!(name.as_deref(), Some("Europe/Berlin"), "{text}");
    }

    #[test]
    fn exim_without_a_log() {
        let (proposal, config) = proposed(&[("etc/exim4/update-exim4.conf.conf", "")]);
        assert!(config.sources.is_empty());
        assert!(
            proposal.text.contains("its main log was not found"),
            "{}",
            proposal.text
        );
    }
}
