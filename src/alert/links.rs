//! What every notice leads to: its page, the runbook, and the command to type next.

use crate::model::shell::quoted;
use crate::model::url::encoded;

/// The page about alarms in the documentation, for whom nothing else is configured.
const RUNBOOK: &str = "docs/operating.md#alarms (in /usr/share/doc/mailpulse)";

/// Where notices lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeLinks {
    /// Address of the pages, without a slash at its end; none where no page can be opened.
    pub url_base: Option<String>,
    /// What to do about an alarm: an address, or a manual page.
    pub runbook: String,
    /// How the program is called where `watch` runs, with its configuration.
    pub program: String,
}

impl Default for NoticeLinks {
    fn default() -> Self {
        NoticeLinks {
            url_base: None,
            runbook: RUNBOOK.to_owned(),
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

    /// The runbook, if it is an address.
    pub(super) fn runbook_url(&self) -> Option<&str> {
        let is_url = ["http://", "https://"]
            .iter()
            .any(|scheme| self.runbook.starts_with(scheme));
        is_url.then_some(self.runbook.as_str())
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
