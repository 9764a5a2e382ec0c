//! What a notice tells people, whoever shows it to them: bounded, and without what steers a terminal.

use super::links::NoticeLinks;
use super::{Notice, safe};
use crate::model::time::UtcS;
use serde_json::{Value, json};

/// Services that are named.
const MEMBERS_SHOWN: usize = 20;
/// Characters of one name.
const NAME_MAX: usize = 128;
/// Characters of what was found.
const DETAILS_MAX: usize = 1_500;

/// A notice in words.
#[derive(Debug, Clone)]
pub(super) struct ToldNotice {
    /// It is over.
    pub is_over: bool,
    /// `FIRING: relay mx1001 dropped`.
    pub title: String,
    /// One sentence.
    pub summary: String,
    /// What was found.
    pub details: String,
    /// `0 came, 41.3 usually do`.
    pub usual: Option<String>,
    /// The services that it is about.
    pub members: Vec<String>,
    /// When it began.
    pub since: String,
    /// When it was over.
    pub ended: Option<String>,
    /// Its page.
    pub page: Option<String>,
    /// What to do about it.
    pub runbook: String,
    /// The runbook, if it is an address.
    pub runbook_url: Option<String>,
    /// The command to type next.
    pub next: String,
}

impl ToldNotice {
    pub(super) fn of(notice: &Notice, links: &NoticeLinks) -> ToldNotice {
        let about = notice.about();
        let is_over = notice.ends.is_some();
        let word = if is_over { "RESOLVED" } else { "FIRING" };
        let time = |at: UtcS| at.timestamp().unwrap_or_default().to_string();
        ToldNotice {
            is_over,
            title: format!(
                "{word}: {} {} {}",
                safe(&about.kind, NAME_MAX),
                safe(&about.name, NAME_MAX),
                safe(&about.state, NAME_MAX)
            ),
            summary: safe(&notice.summary, 1_000),
            details: safe(&notice.description, DETAILS_MAX),
            usual: usual(&notice.alarm),
            members: members(&notice.alarm),
            since: time(notice.starts),
            ended: notice.ends.map(time),
            page: links.page(&notice.id, notice.is_of_mail()),
            runbook: links.runbook(&about.state),
            runbook_url: links.runbook_url(&about.state),
            next: links.next(&notice.id, notice.is_of_mail()),
        }
    }

    /// The services, in one line; `None` where none is named.
    pub(super) fn affected(&self) -> Option<String> {
        (!self.members.is_empty()).then(|| self.members.join(", "))
    }

    /// Names and values for those who show them as a list.
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![("Since", self.since.clone())];
        facts.extend(self.ended.clone().map(|ended| ("Ended", ended)));
        facts.extend(self.usual.clone().map(|usual| ("Mail", usual)));
        facts.extend(self.affected().map(|affected| ("Affected", affected)));
        facts.push(("Next", self.next.clone()));
        if self.runbook_url.is_none() {
            facts.push(("Runbook", self.runbook.clone()));
        }
        facts
    }
}

/// A notice as webhook, exec and stdout tell it.
pub(super) fn json(notice: &Notice, links: &NoticeLinks) -> Value {
    let told = ToldNotice::of(notice, links);
    let mut json = json!({
        "id": notice.id,
        "status": notice.status(),
        "summary": told.summary,
        "mail": told.usual,
        "affected": told.members,
        "next": told.next,
        "runbook": told.runbook,
        "alarm": notice.alarm,
    });
    if let Some(page) = told.page {
        json["link"] = page.into();
    }
    json
}

/// What came, against what usually does.
fn usual(alarm: &Value) -> Option<String> {
    let (expected, observed) = (alarm["expected"].as_f64()?, alarm["observed"].as_f64()?);
    let number = |value: f64| match value {
        whole if whole.fract() == 0.0 || whole >= 100.0 => format!("{whole:.0}"),
        part => format!("{part:.1}"),
    };
    Some(format!("{}, against {} as usual", number(observed), number(expected)))
}

fn members(alarm: &Value) -> Vec<String> {
    let all = alarm["members"].as_array().map_or(&[][..], Vec::as_slice);
    let named = all.iter().filter_map(|member| member["service"].as_str());
    let mut names: Vec<String> = named
        .clone()
        .take(MEMBERS_SHOWN)
        .map(|name| safe(name, NAME_MAX))
        .collect();
    let more = named.count().saturating_sub(MEMBERS_SHOWN);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    names
}

/// What an app for chats would make a link of, or call people by, is no text of ours: it is broken apart.
pub(super) fn inert(text: &str) -> String {
    let mut text = text.replace("://", ": //");
    for (word, broken) in [
        ("@channel", "@ channel"),
        ("@here", "@ here"),
        ("@everyone", "@ everyone"),
        ("@all", "@ all"),
        ("www.", "www ."),
        ("mailto:", "mailto :"),
    ] {
        let mut at = 0;
        while let Some(found) = text.get(at..).and_then(|rest| rest.to_ascii_lowercase().find(word)) {
            let (from, to) = (at + found, at + found + word.len());
            text.replace_range(from..to, broken);
            at = from + broken.len();
        }
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A notice whose names are an attacker's.
    pub(crate) fn hostile() -> Notice {
        let name = "<!channel> <https://evil.example|click> @here [x](http://evil.example) *b* `c`\r\nX-Evil: 1\u{1b}[2J\u{202e}é";
        Notice {
            id: format!("service/{name}/2018-06-06T18:55:00Z"),
            kind: "service".to_owned(),
            name: name.to_owned(),
            state: "dropped".to_owned(),
            relay: None,
            summary: format!("service {name}: dropped since 2018-06-06T18:55:00Z"),
            description: format!("www.evil.example {}", "x".repeat(5_000)),
            starts: UtcS::new(1_528_311_300),
            ends: None,
            alarm: json!({ "expected": 41.26, "observed": 0.0, "members": [{ "service": name }, { "service": "gerrit" }] }),
            now: None,
        }
    }

    /// Links as they are configured.
    pub(crate) fn links() -> NoticeLinks {
        NoticeLinks {
            url_base: Some("https://mail.example.org/mailpulse".to_owned()),
            runbook: Some("https://wiki.example.org/mail?a=1&b=2".to_owned()),
            program: "mailpulse".to_owned(),
        }
    }

    #[test]
    fn a_notice_says_what_came_against_what_is_usual_for_whom_and_what_next() {
        let told = ToldNotice::of(&hostile(), &links());
        assert_eq!(told.usual.as_deref(), Some("0, against 41.3 as usual"));
        assert_eq!(told.members.len(), 2);
        assert!(told.next.starts_with("mailpulse incident --alarm 'service/"));
        assert!(told.details.chars().count() <= DETAILS_MAX);
        for (_, text) in told.facts() {
            assert!(!text.contains(char::is_control) && !text.contains('\u{202e}'), "{text}");
        }
        let mut many = hostile();
        let services: Vec<Value> = (0..50).map(|n| json!({ "service": format!("s{n}") })).collect();
        many.alarm["members"] = json!(services);
        let told = ToldNotice::of(&many, &NoticeLinks::default());
        assert_eq!(told.members.last().unwrap(), "and 30 more");
        assert_eq!(told.page, None);
    }

    #[test]
    fn what_would_become_a_link_or_a_call_is_broken_apart() {
        assert_eq!(
            inert("https://a @Channel @HERE www.x WWW.y mailto:z é"),
            "https: //a @ channel @ here www .x www .y mailto :z é"
        );
    }
}
