//! The HTTP client of the channels: bounded in time; servers are vouched for by the machine's authorities, or by those
//! that the configuration names.

use super::delivery::WAIT_MAX_S;
use super::receivers::ReceiverRequest;
use super::{AlertTarget, DeliveryFault, TIMEOUT, Undelivered, safe};
use crate::model::time::UtcS;
use mailpulse_parsers::harmless::safe_text;
use serde_json::Value;
use std::io::Read as _;
use std::sync::Arc;
use ureq::Agent;
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// TrustedAuthorities that are trusted instead of the machine's.
#[derive(Debug, Clone)]
pub(crate) struct TrustedAuthorities(Arc<Vec<Certificate<'static>>>);

impl TrustedAuthorities {
    /// Those of a PEM file's content; what else stands in it is left alone.
    ///
    /// # Errors
    /// It is no PEM, or has no certificate.
    pub(crate) fn parse(pem: &[u8]) -> Result<TrustedAuthorities, String> {
        let mut all = Vec::new();
        for item in parse_pem(pem) {
            if let PemItem::Certificate(certificate) = item.map_err(|why| why.to_string())? {
                all.push(certificate);
            }
        }
        if all.is_empty() {
            return Err("it contains no certificate".to_owned());
        }
        Ok(TrustedAuthorities(Arc::new(all)))
    }
}

/// A client.
pub(super) fn agent(authorities: Option<TrustedAuthorities>) -> Agent {
    let roots = match authorities {
        Some(TrustedAuthorities(all)) => RootCerts::Specific(all),
        None => RootCerts::PlatformVerifier,
    };
    let tls = TlsConfig::builder().root_certs(roots).build();
    let config = Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        // A redirected POST becomes a GET of a login page: not followed, and told.
        .max_redirects(0)
        // The words of a refusal stand in its body.
        .http_status_as_error(false)
        .tls_config(tls)
        .build();
    config.into()
}

/// What is read of an answer.
const ANSWER_BYTES_MAX: u64 = 16 << 10;
/// What is told of it.
const WORDS_MAX: usize = 300;

/// A 2xx.
#[derive(Debug)]
pub(super) struct Taken {
    /// A page for people, such as a login's.
    pub is_page: bool,
}

/// Posts; anything but 2xx is no delivery.
pub(super) fn post(
    agent: &Agent,
    target: &AlertTarget,
    what: &ReceiverRequest,
    now: UtcS,
) -> Result<Taken, Undelivered> {
    let mut request = agent.post(target.url()).header("Content-Type", what.content_type);
    for (name, value) in &what.headers {
        request = request.header(*name, value);
    }
    judged(request.send(what.body.as_bytes()), target, now)
}

/// Asks for an address; anything but 2xx is a refusal.
pub(super) fn get(agent: &Agent, target: &AlertTarget, now: UtcS) -> Result<(), Undelivered> {
    judged(agent.get(target.url()).call(), target, now).map(|_| ())
}

fn judged(
    answer: Result<Response<ureq::Body>, ureq::Error>,
    target: &AlertTarget,
    now: UtcS,
) -> Result<Taken, Undelivered> {
    match answer {
        Ok(answer) if answer.status().is_success() => Ok(Taken {
            is_page: header(&answer, "content-type").is_some_and(|kind| kind.trim_start().starts_with("text/html")),
        }),
        Ok(answer) => Err(refusal(target, answer, now)),
        Err(why) => {
            let why = target.hidden_in(&why.to_string());
            Err(Undelivered::channel(match hint(&why) {
                Some(hint) => format!("{target}: {why}; {hint}"),
                None => format!("{target}: {why}"),
            }))
        }
    }
}

fn header<'a>(answer: &'a Response<ureq::Body>, name: &str) -> Option<&'a str> {
    answer.headers().get(name)?.to_str().ok()
}

/// An answer that is no delivery: its words, whose fault it is, and when to come again.
fn refusal(target: &AlertTarget, answer: Response<ureq::Body>, now: UtcS) -> Undelivered {
    let status = answer.status();
    let mut why = format!("{target}: answered {status}");
    if status.is_redirection() {
        if let Some(to) = header(&answer, "location") {
            // What a login page is given to go back to is the secret address again.
            let to = target.hidden_in(to.split(['?', '#']).next().unwrap_or_default());
            why += &format!(" to {}", safe(&to, WORDS_MAX));
        }
        return Undelivered::channel(
            why + "; redirects are not followed: set `url` to the address that accepts the POST",
        );
    }
    let wait_s = header(&answer, "retry-after").and_then(|text| retry_after_s(text, now));
    let mut body = Vec::new();
    // What cannot be read is not told: the status says enough.
    let _ = answer
        .into_body()
        .into_reader()
        .take(ANSWER_BYTES_MAX)
        .read_to_end(&mut body);
    let said = target.hidden_in(&words(&body));
    if !said.is_empty() {
        why += &format!(": {said}");
    }
    if let Some(wait_s) = wait_s {
        why += &format!("; tried again in {wait_s} s");
    }
    Undelivered {
        why,
        fault: fault(status),
        wait_s,
    }
}

fn fault(status: StatusCode) -> DeliveryFault {
    match status.as_u16() {
        // Who asks, where, how often: the next notice would fare no better.
        401..=405 | 407 | 408 | 410 | 421 | 423 | 425 | 426 | 429 | 431 | 502..=504 => DeliveryFault::Channel,
        400..=499 => DeliveryFault::Notice,
        _ => DeliveryFault::Unclear,
    }
}

/// Seconds of `Retry-After`, a number or a date, within bounds.
fn retry_after_s(text: &str, now: UtcS) -> Option<i64> {
    let text = text.trim();
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => i64::try_from(seconds).unwrap_or(WAIT_MAX_S),
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(text).ok()?;
            UtcS::from(date.timestamp()) - now
        }
    };
    Some(seconds.clamp(1, WAIT_MAX_S))
}

/// What an answer says, for people: the message in JSON, or the text without tags.
fn words(body: &[u8]) -> String {
    let text = std::str::from_utf8(body).map_or_else(|_| safe_text(body), str::to_owned);
    let json: Option<Value> = serde_json::from_str(&text).ok();
    let told = match &json {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(object)) => ["message", "error", "detail", "title"]
            .iter()
            .find_map(|key| object.get(*key)?.as_str())
            .map_or_else(|| text.clone(), |told| told.to_owned() + &listed(object)),
        _ => untagged(&text),
    };
    let one_line: Vec<&str> = told.split_whitespace().collect();
    safe(&one_line.join(" "), WORDS_MAX)
}

/// What some list beside their message: `errors`, as PagerDuty has it.
fn listed(object: &serde_json::Map<String, Value>) -> String {
    let errors = object.get("errors").and_then(Value::as_array).into_iter().flatten();
    let errors: Vec<&str> = errors.filter_map(Value::as_str).collect();
    if errors.is_empty() {
        return String::new();
    }
    format!(": {}", errors.join("; "))
}

/// A page's text; a text that is none stays as it is.
fn untagged(text: &str) -> String {
    if !text.trim_start().starts_with('<') {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut inside = false;
    for c in text.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                out.push(' ');
            }
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out
}

/// What to do about a certificate that is not trusted. The client tells the reason only in words.
fn hint(why: &str) -> Option<&'static str> {
    let hints: [(&[&str], &str); 5] = [
        (
            &["UnknownIssuer"],
            "no trusted authority has signed the server's certificate: name its authority's PEM file with `ca_file`",
        ),
        (
            &["NotValidForName", "not valid for name"],
            "the certificate is for another name: use the name in the certificate in `url`",
        ),
        (
            &["certificate: Expired", "certificate expired"],
            "the server's certificate has expired: renew it",
        ),
        (
            &["NotValidYet", "not valid yet"],
            "the server's certificate is not valid yet: compare the clocks of both machines",
        ),
        (
            &["CaUsedAsEndEntity"],
            "the server presents the authority's certificate as its own: have the authority sign a certificate for \
             the server",
        ),
    ];
    let is_it = |(words, _): &&(&[&str], &'static str)| words.iter().any(|word| why.contains(word));
    hints.iter().find(is_it).map(|(_, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_an_answer_are_bounded_and_harmless() {
        for (body, told) in [
            (
                r#"{"code":601,"message":"invalid label set: invalid name \"\""}"#,
                "invalid label set: invalid name \"\"",
            ),
            (r#""bad request""#, "bad request"),
            (
                r#"{"status":"invalid event","message":"Event object is invalid","errors":["'payload' is missing","x"]}"#,
                "Event object is invalid: 'payload' is missing; x",
            ),
            (
                r#"{"status":"error","errorType":"bad_data","error":"no alerts"}"#,
                "no alerts",
            ),
            (
                "<html><head><title>504</title></head>\n<body>Gateway  Time-out</body></html>",
                "504 Gateway Time-out",
            ),
            ("invalid_token\r\n", "invalid_token"),
            ("", ""),
        ] {
            assert_eq!(words(body.as_bytes()), told);
        }
        let hostile = words(format!("\u{1b}[31m{}", "x".repeat(10_000)).as_bytes());
        assert!(
            hostile.chars().count() <= WORDS_MAX && !hostile.contains(char::is_control),
            "{hostile}"
        );
    }

    #[test]
    fn a_receiver_may_ask_for_patience_within_limits() {
        let now = 784_111_777;
        for (text, seconds) in [
            ("2", Some(2)),
            ("0", Some(1)),
            ("99999999999999999999", None),
            ("86400", Some(WAIT_MAX_S)),
            ("Sun, 06 Nov 1994 08:50:00 GMT", Some(23)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(1)),
            ("soon", None),
            ("-5", None),
        ] {
            assert_eq!(retry_after_s(text, UtcS::new(now)), seconds, "{text}");
        }
    }
}
