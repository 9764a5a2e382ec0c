//! The commented `mailpulse.toml` that `mailpulse init` writes: what was found here, and how to go on.

use std::fmt::Write;
use std::path::Path;

use super::discover::{self, Finding};

/// A configuration for this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The text of the file; it loads as it is.
    pub text: String,
    /// What it was made of.
    pub findings: Vec<Finding>,
}

const HEAD: &str = r#"# mailpulse.toml, written by `mailpulse init`. `mailpulse check` says whether it is right after a change.
# Files of conf.d/*.toml beside it are read too.

[store]
url = "file:///var/lib/mailpulse"
retain_days = 90

[privacy]
# hash: addresses stay distinguishable and unreadable; keep; drop
local_parts = "hash"
"#;

const TAIL: &str = r#"
# Services: who sends. Without any rule they are derived from sender and client, and `mailpulse services discover`
# proposes rules. All keys of an entry must hold, any entry suffices, the first service wins.
# [[service]]
# name = "gerrit"
# match = [{ sender = "gerrit@*" }, { client = "gerrit*.example.org" }]

# Hostgroups: where mail comes from.
# [[hostgroup]]
# name = "web"
# hosts = ["web[0-9]*.example.org"]
# networks = ["10.0.0.0/24"]
# inventory = "hosts.json"     # ansible-inventory --list, or a CSV of host,group
"#;

/// Looks at the machine below a root, `/` for this one, and proposes a configuration.
#[must_use]
pub fn propose(root: &Path) -> Proposal {
    let findings = discover::look(root);
    let mut text = HEAD.to_owned();
    for finding in &findings {
        source(&mut text, finding);
    }
    if !findings
        .iter()
        .any(|finding| finding.kind == "exim" && !finding.paths.is_empty())
    {
        text.push_str("\n# No Exim log was found here. Name one:\n# [[source]]\n# kind = \"exim\"\n");
        text.push_str("# paths = [\"/srv/logs/mainlog*\"]\n");
    }
    text.push_str(TAIL);
    Proposal { text, findings }
}

fn source(text: &mut String, finding: &Finding) {
    let mut lines = Vec::new();
    let supported = finding.kind == "exim" && !finding.paths.is_empty();
    lines.push("[[source]]".to_owned());
    lines.push(format!("kind = \"{}\"", finding.kind));
    let paths: Vec<String> = finding
        .paths
        .iter()
        .map(|path| toml::Value::from(path.as_str()).to_string())
        .collect();
    lines.push(format!("paths = [{}]", paths.join(", ")));
    if let Some(zone) = &finding.timezone {
        lines.push(format!("timezone = {}", toml::Value::from(zone.as_str())));
    }
    text.push('\n');
    for note in &finding.notes {
        _ = writeln!(text, "# {note}");
    }
    if finding.kind == "journald" {
        text.push_str("# journald keeps a journal here. To read an MTA that logs only there:\n# [[source]]\n# kind = \"postfix\"\n# journal = true\n");
        return;
    }
    if finding.kind != "exim" {
        _ = writeln!(
            text,
            "# {} is here; this version does not read its log yet.",
            finding.kind
        );
    }
    for line in lines.into_iter().filter(|_| !finding.paths.is_empty()) {
        _ = writeln!(text, "{}{line}", if supported { "" } else { "# " });
    }
    if supported {
        text.push_str("# host = \"mx1001\"            # default: this host\n");
        if finding.timezone.is_none() {
            text.push_str("# timezone = \"UTC\"          # the zone that the log is written in\n");
        }
    }
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
        let proposal = propose(root.path());
        let path = root.path().join("mailpulse.toml");
        fs::write(&path, &proposal.text).unwrap();
        let config = Config::load(&path).unwrap_or_else(|errors| panic!("{errors:#?}\n{}", proposal.text));
        (proposal, config)
    }

    #[test]
    fn an_empty_machine() {
        let (proposal, config) = proposed(&[]);
        assert!(proposal.findings.is_empty() && config.sources.is_empty());
        assert!(proposal.text.contains("No Exim log was found"));
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
        assert_eq!(config.sources.len(), 1);
        assert_eq!(config.sources[0].timezone.iana_name(), Some("Europe/Berlin"));
        assert!(
            proposal.text.contains("# paths = [\"/var/log/mail.log*\"]"),
            "{}",
            proposal.text
        );
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
