//! Microsoft Teams: an Adaptive Card for the webhook trigger of Workflows ("Post to a channel when a webhook request is
//! received"). A TextBlock would read Markdown in names; the runs of a RichTextBlock are plain text.

use super::super::told::{ToldNotice, inert};
use serde_json::{Value, json};

pub(super) fn card(told: &ToldNotice) -> Value {
    let title = json!({
        "type": "TextRun",
        "text": inert(&told.title),
        "weight": "Bolder",
        "size": "Large",
        "color": if told.is_over { "Good" } else { "Attention" },
    });
    let mut body = vec![paragraph(vec![title]), paragraph(vec![run(&told.summary)])];
    body.extend(told.facts().iter().map(|(name, value)| {
        let name = json!({ "type": "TextRun", "text": format!("{name}: "), "weight": "Bolder" });
        paragraph(vec![name, run(value)])
    }));
    let open = |name: &str, url: &String| json!({ "type": "Action.OpenUrl", "title": name, "url": url });
    let page = told.page.iter().map(|url| open("Open the incident", url));
    let actions: Vec<Value> = page
        .chain(told.runbook_url.iter().map(|url| open("Runbook", url)))
        .collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": { "width": "Full" },
                "body": body,
                "actions": actions,
            },
        }],
    })
}

fn paragraph(inlines: Vec<Value>) -> Value {
    json!({ "type": "RichTextBlock", "inlines": inlines })
}

fn run(text: &str) -> Value {
    json!({ "type": "TextRun", "text": inert(text) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::told::tests::{hostile, links};

    #[test]
    fn names_are_runs_of_plain_text_and_the_card_is_small() {
        let card = card(&ToldNotice::of(&hostile(), &links()));
        let content = &card["attachments"][0]["content"];
        for block in content["body"].as_array().unwrap() {
            assert_eq!(block["type"], "RichTextBlock", "no text that is read as Markdown");
        }
        assert!(!content["body"].to_string().contains("http://evil"));
        let urls: Vec<&str> = content["actions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|action| action["url"].as_str().unwrap())
            .collect();
        assert_eq!(urls.len(), 2);
        assert!(urls[0].starts_with("https://mail.example.org/mailpulse/incident?alarm=service/%3C%21channel"));
        assert!(card.to_string().len() < 28_000, "what Teams takes");
    }
}
