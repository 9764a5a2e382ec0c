//! Slack's incoming webhooks. <https://docs.slack.dev/messaging/formatting-message-text>: `&`, `<` and `>` are written as
//! entities; a text that is `verbatim` has no links and no calls but those that are written as such. Who is compatible with it
//! shows `text`, where such things are broken apart.

use super::super::told::{ToldNotice, inert};
use serde_json::{Value, json};

/// Characters of a header.
const HEADER_MAX: usize = 150;
/// Characters of a text.
const TEXT_MAX: usize = 3_000;

pub(super) fn message(told: &ToldNotice) -> Value {
    let title = escaped(&inert(&told.title));
    let mut lines = vec![escaped(&inert(&told.summary))];
    lines.extend(
        told.facts()
            .iter()
            .map(|(name, value)| format!("{name}: {}", escaped(&inert(value)))),
    );
    let links = links(told);
    let text = [vec![title], lines.clone(), links.clone()].concat().join("\n");
    let section = |text: String| {
        json!({
            "type": "section",
            "text": { "type": "mrkdwn", "text": cut(&text, TEXT_MAX), "verbatim": true },
        })
    };
    let mut blocks = vec![
        json!({
            "type": "header",
            "text": { "type": "plain_text", "text": cut(&told.title, HEADER_MAX), "emoji": false },
        }),
        section(lines.join("\n")),
    ];
    if !links.is_empty() {
        blocks.push(section(links.join("  ")));
    }
    json!({ "text": text, "blocks": blocks, "unfurl_links": false, "unfurl_media": false })
}

/// Links of ours, in Slack's form.
fn links(told: &ToldNotice) -> Vec<String> {
    let link = |url: &String, name: &str| format!("<{}|{name}>", escaped(url).replace('|', "%7C"));
    let page = told.page.iter().map(|url| link(url, "Open the incident"));
    page.chain(told.runbook_url.iter().map(|url| link(url, "Runbook")))
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// No entity is cut in two.
fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let short: String = text.chars().take(max - 1).collect();
    let whole = match short.rfind('&') {
        Some(at) if !short.get(at..).unwrap_or_default().contains(';') => short.get(..at).unwrap_or_default(),
        _ => &short,
    };
    format!("{whole}…")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::told::tests::{hostile, links};

    #[test]
    fn a_name_calls_nobody_and_is_no_link() {
        let told = ToldNotice::of(&hostile(), &links());
        let message = message(&told);
        let blocks = message["blocks"].as_array().unwrap();
        let texts = blocks.iter().map(|block| &block["text"]);
        for text in texts.filter(|text| text["type"] == "mrkdwn") {
            assert_eq!(text["verbatim"], true);
        }
        let told_texts = [&message["text"], &blocks[1]["text"]["text"]].map(|text| text.as_str().unwrap());
        for text in told_texts {
            assert!(text.contains("&lt;!channel&gt;") && !text.contains("<!"), "{text}");
            // The only links are ours.
            for link in text.split('<').skip(1) {
                assert!(
                    link.starts_with("https://mail.example.org/") || link.starts_with("https://wiki.example.org/"),
                    "{text}"
                );
            }
            assert!(
                !text.contains("@here") && !text.contains("http://evil") && !text.contains("www.evil"),
                "{text}"
            );
        }
        assert!(
            message["text"]
                .as_str()
                .unwrap()
                .contains("<https://wiki.example.org/mail?a=1&amp;b=2|Runbook>")
        );
    }

    #[test]
    fn texts_are_as_long_as_slack_takes_them_and_no_entity_is_cut() {
        let mut notice = hostile();
        notice.name = "&".repeat(2_000);
        notice.summary = "&".repeat(2_000);
        let message = message(&ToldNotice::of(&notice, &links()));
        let blocks = message["blocks"].as_array().unwrap();
        assert!(blocks[0]["text"]["text"].as_str().unwrap().chars().count() <= HEADER_MAX);
        let text = blocks[1]["text"]["text"].as_str().unwrap();
        assert!(text.chars().count() <= TEXT_MAX);
        assert!(text.split('&').skip(1).all(|part| part.starts_with("amp;")), "{text}");
    }
}
