//! 49: what an Alertmanager, or a proxy before it, answers. prometheus/alertmanager#2532, prometheus/prometheus#3543,
//! falcosecurity/falcosidekick#77, grafana/grafana#130171.

use crate::util::{Place, Run};
use crate::watch::{ONCE, begun, configure};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What is answered to a body.
type Answer = dyn Fn(&str) -> String + Send;

/// A server on loopback that answers as it is told, and keeps what it got.
struct Server {
    port: u16,
    got: Arc<Mutex<Vec<(String, String)>>>,
    answer: Arc<Mutex<Box<Answer>>>,
}

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server {
            port: listener.local_addr().unwrap().port(),
            got: Arc::default(),
            answer: Arc::new(Mutex::new(Box::new(|_| ok()))),
        };
        let (got, answer) = (Arc::clone(&server.got), Arc::clone(&server.answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let _ = serve(stream, &got, &answer);
            }
        });
        server
    }

    fn answers(&self, answer: impl Fn(&str) -> String + Send + 'static) {
        *self.answer.lock().unwrap() = Box::new(answer);
        self.got.lock().unwrap().clear();
    }

    /// Paths and bodies since the answer was set.
    fn got(&self) -> Vec<(String, String)> {
        self.got.lock().unwrap().clone()
    }

    fn alertmanager(&self) -> String {
        format!(
            "[[alert]]\nkind = \"alertmanager\"\nurl = \"http://127.0.0.1:{}/alertmanager/\"\n",
            self.port
        )
    }

    fn webhook(&self) -> String {
        format!(
            "[[alert]]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{}/hook\"\n",
            self.port
        )
    }
}

fn serve(
    mut stream: TcpStream,
    got: &Mutex<Vec<(String, String)>>,
    answer: &Mutex<Box<Answer>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8(body).unwrap();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let text = answer.lock().unwrap()(&body);
    got.lock().unwrap().push((path, body));
    stream.write_all(text.as_bytes())
}

fn reply(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}")
}

fn ok() -> String {
    reply("200 OK", "", "")
}

const REFUSED: &str = r#"{"code":601,"message":"invalid label set: invalid name \"\""}"#;

/// Names of the alerts in a body.
fn names(body: &str) -> Vec<String> {
    let all: Vec<Value> = serde_json::from_str(body).unwrap();
    all.iter()
        .map(|alert| alert["labels"]["name"].as_str().unwrap().to_owned())
        .collect()
}

fn watch(place: &Place) -> Run {
    place.run(&ONCE).ends(1)
}

/// The outage's alarm, and a channel to tell it through.
fn alarm(channel: &str) -> Place {
    let place = begun("");
    configure(&place, channel);
    place
}

/// The kept state with a change, as time would make it; the second argument is the channel's name.
fn change(place: &Place, change: impl FnOnce(&mut Value, &str)) {
    let text = std::fs::read_to_string(place.path("store/alerts.json")).unwrap();
    let mut state: Value = serde_json::from_str(&text).unwrap();
    let key = state["backlogs"].as_object().unwrap().keys().next().unwrap().clone();
    change(&mut state, &key);
    place.write("store/alerts.json", state.to_string());
}

#[test]
fn a_redirect_is_no_delivery_and_is_told_and_tried_again() {
    let server = Server::start();
    let place = begun("");
    for (status, channel, path) in [
        (
            "308 Permanent Redirect",
            server.alertmanager(),
            "/alertmanager/api/v2/alerts",
        ),
        ("302 Found", server.webhook(), "/hook"),
    ] {
        configure(&place, &channel);
        let _ = std::fs::remove_file(place.path("store/alerts.json"));
        let to = format!("Location: http://127.0.0.1:{}/login\r\n", server.port);
        server.answers(move |_| reply(status, &to, ""));
        watch(&place).says(&[
            "not delivered, tried again later",
            &format!("answered {status} to http://127.0.0.1"),
            "/login; redirects are not followed",
        ]);
        assert_eq!(server.got().len(), 1, "nothing is asked of the place it leads to");
        server.answers(|_| ok());
        let run = watch(&place);
        assert!(!run.err.contains("not delivered"), "{}", run.err);
        let paths: Vec<String> = server.got().into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, [path], "it is delivered then");
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_receiver_that_asks_for_patience_gets_it_and_the_notice_after_that() {
    let server = Server::start();
    let place = begun("");
    for channel in [server.alertmanager(), server.webhook()] {
        configure(&place, &channel);
        let _ = std::fs::remove_file(place.path("store/alerts.json"));
        server.answers(|_| reply("429 Too Many Requests", "Retry-After: 86400\r\n", "slow down"));
        watch(&place).says(&[
            "not delivered",
            "answered 429 Too Many Requests: slow down; tried again in 600 s",
        ]);
        assert_eq!(server.got().len(), 1);
        server.answers(|_| ok());
        watch(&place);
        assert_eq!(server.got(), [], "not before the time");
        change(&place, |state, key| state["backlogs"][key]["wait_until"] = 1.into());
        watch(&place);
        assert_eq!(server.got().len(), 1);
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_login_page_instead_of_an_alertmanager_is_no_delivery() {
    let server = Server::start();
    let place = begun("");
    configure(&place, &server.alertmanager());
    server.answers(|_| {
        reply(
            "200 OK",
            "Content-Type: text/html; charset=utf-8\r\n",
            "<html>login</html>",
        )
    });
    watch(&place).says(&["not delivered", "answered with a web page, perhaps a login"]);
    server.answers(|_| ok());
    watch(&place);
    assert_eq!(server.got().len(), 1);
}

#[test]
fn a_refusal_is_told_in_the_receivers_words_and_holds_up_no_other_notice() {
    let server = Server::start();
    let place = alarm(&server.alertmanager());
    // As Alertmanager does: an alert that it does not take spoils the answer to all.
    let bad = "mx1001";
    let spoilt = move |body: &str| match names(body).iter().any(|name| name == bad) {
        true => reply("400 Bad Request", "Content-Type: application/json\r\n", REFUSED),
        false => ok(),
    };
    server.answers(spoilt);
    watch(&place).says(&[
        "not delivered",
        "answered 400 Bad Request: invalid label set: invalid name \"\"",
    ]);
    // Another notice comes while the first is tried again, and goes out in spite of it.
    change(&place, |state, key| {
        assert_eq!(state["queues"][key], serde_json::json!([]), "nothing waits behind it");
        let aside = &mut state["backlogs"][key]["aside"][0];
        aside["next"] = 0.into();
        let mut other = aside["notice"].clone();
        assert_eq!(other["name"], bad);
        (other["name"], other["id"]) = ("other".into(), "relay/other/x".into());
        state["queues"][key] = serde_json::json!([other]);
    });
    server.answers(spoilt);
    let run = watch(&place).says(&[
        "invalid label set",
        "the others are sent, and this one is tried again in 120 s",
    ]);
    let taken: Vec<Vec<String>> = server.got().iter().map(|(_, body)| names(body)).collect();
    assert!(taken.contains(&vec!["other".to_owned()]), "{taken:?} {}", run.err);
    // The refused one is tried again when its time has come, and not before.
    server.answers(|_| ok());
    watch(&place);
    assert!(
        server.got().iter().all(|(_, body)| !body.contains(bad)),
        "{:?}",
        server.got()
    );
    change(&place, |state, key| {
        assert_eq!(state["queues"][key], serde_json::json!([]));
        state["backlogs"][key]["aside"][0]["next"] = 0.into();
    });
    let run = watch(&place);
    assert!(!run.err.contains("not delivered"), "{}", run.err);
    assert!(server.got().iter().any(|(_, body)| names(body) == [bad]));
}

#[test]
fn a_refusal_without_a_length_is_told_in_the_receivers_words_and_kept_for_status() {
    let server = Server::start();
    let place = alarm(&server.alertmanager());
    // As small servers and some proxies answer.
    server.answers(|_| format!("HTTP/1.0 400 Bad Request\r\nServer: old\r\n\r\n{REFUSED}"));
    let words = "answered 400 Bad Request: invalid label set: invalid name \"\"";
    watch(&place).says(&["not delivered", words]);
    let status = place.run(&["status", "--format", "json"]).ends(0);
    let status: Value = serde_json::from_str(&status.out).unwrap();
    let channel = &status["channels"][0];
    assert_eq!(
        (&channel["waiting"], &channel["refused"]),
        (&0.into(), &1.into()),
        "{status}"
    );
    assert!(channel["why"].as_str().unwrap().contains(words), "{channel}");
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_webhook_that_refuses_one_notice_gets_the_others() {
    let server = Server::start();
    let place = alarm(&server.webhook());
    let hostile = "invalid\u{1b}[31m payload ".repeat(100);
    let text = reply("422 Unprocessable Entity", "", &hostile);
    server.answers(move |_| text.clone());
    let run = watch(&place).says(&["answered 422 Unprocessable Entity: invalid"]);
    assert!(!run.err.contains('\u{1b}') && run.err.len() < 3_000, "{}", run.err);
    // What an error inside the receiver holds up, it holds up five times.
    std::fs::remove_file(place.path("store/alerts.json")).unwrap();
    server.answers(|_| reply("500 Internal Server Error", "", "boom"));
    for round in 1..=5 {
        let run = watch(&place).says(&["answered 500 Internal Server Error: boom"]);
        assert_eq!(
            run.err.contains("the others are sent"),
            round == 5,
            "{round}: {}",
            run.err
        );
    }
}
