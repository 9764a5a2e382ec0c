//! The `mailpulse.toml` that belongs to the outage's logs: the relays' and the applications'.

use super::apps::LOGS;
use super::relay::RELAYS;

/// Rules by service; the first match wins. Some go by the sender, some by the client, some by either.
const RULES: [(&str, &str); 12] = [
    (
        "phabricator",
        r#"{ sender = "no-reply@phabricator.wikimedia.org" }, { client = "phab[0-9]*.*.wmnet" }"#,
    ),
    (
        "gerrit",
        r#"{ sender = "gerrit@wikimedia.org" }, { client = "cobalt.wikimedia.org" }"#,
    ),
    ("hue", r#"{ sender = "hue@*.wmnet" }"#),
    ("iegreview", r#"{ sender = "grants@wikimedia.org" }"#),
    ("oozie", r#"{ client = "an-coord[0-9]*.*.wmnet" }"#),
    ("wikimania_scholarships", r#"{ sender = "scholarships@wikimedia.org" }"#),
    ("sentry", r#"{ client = "sentry[0-9]*.*.wmnet" }"#),
    ("snapshot", r#"{ sender = "ops-dumps@wikimedia.org" }"#),
    (
        "wiki",
        r#"{ sender = "wiki@wikimedia.org" }, { sender = "wiki-*@wikimedia.org" }"#,
    ),
    ("mailman", r#"{ client = "fermium.wikimedia.org" }"#),
    ("otrs", r#"{ client = "mendelevium.eqiad.wmnet" }"#),
    ("cron", r#"{ sender = "root@*.wmnet" }"#),
];

/// Hostgroups: name and what they hold. Relays see full names; an application's log is under its host's short one.
const GROUPS: [(&str, &str); 9] = [
    ("phab", r#"hosts = ["phab[0-9]*.*.wmnet", "phab[0-9]*"]"#),
    (
        "gerrit",
        r#"hosts = ["cobalt.wikimedia.org", "cobalt", "gerrit[0-9]*"]"#,
    ),
    (
        "hadoop",
        r#"hosts = ["thorium.eqiad.wmnet", "an-coord[0-9]*.*.wmnet", "analytics[0-9]*.*.wmnet", "thorium", "an-coord[0-9]*"]"#,
    ),
    (
        "misc_web",
        r#"hosts = ["krypton.eqiad.wmnet", "sentry[0-9]*.*.wmnet", "krypton", "sentry[0-9]*"]"#,
    ),
    ("dumps", r#"hosts = ["snapshot[0-9]*.*.wmnet", "snapshot[0-9]*"]"#),
    ("mw", "hosts = [\"mw*.*.wmnet\"]\nnetworks = [\"10.64.48.0/24\"]"),
    ("lists", r#"hosts = ["fermium.wikimedia.org"]"#),
    ("otrs", r#"hosts = ["mendelevium.eqiad.wmnet"]"#),
    (
        "storage",
        r#"hosts = ["db[0-9]*.*.wmnet", "ms-be[0-9]*.*.wmnet", "cp[0-9]*.*.wmnet"]"#,
    ),
];

/// The file's text. Paths are relative to the file.
pub(super) fn toml() -> String {
    let mut text = String::from(
        "# The outage of 2018-06-06: two relays, eight services that used only mx1001, and some that survived.\n\
         # Paths are relative to this file.\n\n\
         # Some hosts have public addresses.\n\
         [ours]\nnetworks = [\"208.80.152.0/22\", \"2620:0:860::/46\"]\n",
    );
    for relay in &RELAYS {
        text.push_str(&format!(
            "\n[[source]]\nkind = \"exim\"\npaths = [\"{0}/mainlog*\"]\nhost = \"{0}\"\ntimezone = \"UTC\"\n",
            relay.name
        ));
    }
    let mut last = ("", "");
    for log in &LOGS {
        // Both files of one process are one source: its records stand in both.
        if std::mem::replace(&mut last, (log.service, log.host)) != (log.service, log.host) {
            text.push_str(&format!(
                "\n[[source]]\nkind = \"{}\"\npaths = [\"apps/{}/{}\"]\nhost = \"{}\"\nservice = \"{}\"\n\
                 timezone = \"UTC\"\n",
                log.kind, log.host, log.glob, log.host, log.service
            ));
        }
    }
    for (name, rules) in RULES {
        text.push_str(&format!("\n[[service]]\nname = \"{name}\"\nmatch = [{rules}]\n"));
    }
    for (name, members) in GROUPS {
        text.push_str(&format!("\n[[hostgroup]]\nname = \"{name}\"\n{members}\n"));
    }
    text
}
