//! What every notice leads to: its page, the runbook, and the command to type next.

use crate::model::shell::quoted;
use crate::model::url::encoded;

/// The documentation of the package, for whom no other runbook is configured.
const DOCUMENTATION: &str = "/usr/share/doc/mailpulse";

/// Where notices lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoticeLinks {
    /// Address of the pages, without a slash at its end; none where no page can be opened.
    pub url_base: Option<String>,
    /// Address of the runbook, in which `{state}` is the state of the alarm; without one, notices name the page of their
    /// state in the documentation.
    pub runbook: Option<String>,
    /// How the program is called where `watch` runs, with its configuration.
    pub program: String,
}

impl Default for NoticeLinks {
    fn default() -> Self {
        NoticeLinks {
            url_base: None,
            runbook: None,
            program: "mailpulse".to_owned(),
        }
    }
}

impl NoticeLinks {
    /// The page of an alarm; the first page for what is no alarm about mail.
    pub(super) fn page(&self, id: &str, is_of_mail: bool) -> Option<String> {
        let base = self.url_base.as_ref()?;
        Some(match is_of_mail {
            // Receivers make links of what looks like an address: nothing of a name does.
            true => format!("{base}/incident?alarm={}", encoded(id).replace(":/", "%3A/")),
            false => format!("{base}/"),
        })
    }

    /// What to do about an alarm in this state: an address, or a page of the documentation.
    pub(super) fn runbook(&self, state: &str) -> String {
        match &self.runbook {
            Some(runbook) => runbook.replace("{state}", &encoded(state)),
            None if state == super::TEST => format!("docs/alarms.md (in {DOCUMENTATION})"),
            None => format!("docs/runbooks/{}.md (in {DOCUMENTATION})", super::safe(state, 64)),
        }
    }

    /// The runbook, if it is an address.
    pub(super) fn runbook_url(&self, state: &str) -> Option<String> {
        let runbook = self.runbook.as_ref().map(|_| self.runbook(state))?;
        let is_url = ["http://", "https://"].iter().any(|scheme| runbook.starts_with(scheme));
        is_url.then_some(runbook)
    }

    /// The command to type next.
    pub(super) fn next(&self, id: &str, is_of_mail: bool) -> String {
        match is_of_mail {
            true => format!("{} incident --alarm {}", self.program, quoted(&super::safe(id, 1_000))),
            false => format!("{} status", self.program),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_names_the_runbook_of_its_state_unless_another_is_configured() {
        let usual = NoticeLinks::default();
        assert_eq!(
            usual.runbook("dropped"),
            "docs/runbooks/dropped.md (in /usr/share/doc/mailpulse)"
        );
        assert_eq!(
            usual.runbook(crate::alert::TEST),
            "docs/alarms.md (in /usr/share/doc/mailpulse)"
        );
        assert_eq!(usual.runbook_url("dropped"), None, "a file is no address");
        let own = NoticeLinks {
            runbook: Some("https://wiki.example.org/mail".to_owned()),
            ..usual
        };
        assert_eq!(own.runbook("dropped"), "https://wiki.example.org/mail");
        assert_eq!(own.runbook_url("dropped").unwrap(), "https://wiki.example.org/mail");
        let by_state = NoticeLinks {
            runbook: Some("https://wiki.example.org/mail/{state}.html?from=pager".to_owned()),
            ..own
        };
        let url = |state| by_state.runbook_url(state).unwrap();
        assert_eq!(url("stuck"), "https://wiki.example.org/mail/stuck.html?from=pager");
        assert_eq!(url("a b\""), "https://wiki.example.org/mail/a%20b%22.html?from=pager");
    }

    #[test]
    fn no_name_is_part_of_an_address_or_of_a_command() {
        let links = NoticeLinks {
            url_base: Some("https://mail.example.org/mailpulse".to_owned()),
            ..NoticeLinks::default()
        };
        let page = |id: &str| links.page(id, true).unwrap();
        assert_eq!(
            page("relay/mx1001/2018-06-06T18:55:00Z"),
            "https://mail.example.org/mailpulse/incident?alarm=relay/mx1001/2018-06-06T18:55:00Z"
        );
        assert_eq!(
            page("service/a&b=\"> <\r\né/x"),
            "https://mail.example.org/mailpulse/incident?alarm=service/a%26b%3D%22%3E%20%3C%0D%0A%C3%A9/x"
        );
        assert_eq!(NoticeLinks::default().page("x", true), None, "none is invented");
        assert_eq!(
            links.next("a';reboot;'\u{1b}", true),
            r"mailpulse incident --alarm 'a'\'';reboot;'\''\u{1b}'"
        );
        assert_eq!(links.next("store/events/x", false), "mailpulse status");
    }
}
