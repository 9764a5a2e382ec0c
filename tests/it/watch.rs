//! Alarms on their way out: a real Alertmanager, a webhook, a program; the outage's relay logs in two parts.

use crate::lab;
use crate::util::{KEEP_ALONE, Place, Reserved, stop};
use crate::webhook::{hook, posted};
use hmac::{Hmac, KeyInit as _, Mac as _};
use mailpulse::analysis::fleet::{fleet, fleet_after};
use mailpulse::detect::fleet::{NONE, Names};
use mailpulse::model::time::Minute;
use mailpulse::query::Window;
use mailpulse::simulate::{Outage2018, RESTARTED, outage_2018};
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

pub(crate) const ONCE: [&str; 4] = ["watch", "--once", "--stale", "0"];
const RELAYS: [&str; 2] = ["mx1001", "mx2001"];
/// The first part of the logs ends here, in the middle of the outage.
const CUT: &str = "2018-06-06 20:00";

/// The outage's relay logs up to [`CUT`] in a store: made once, and copied for each test.
static BEGUN: LazyLock<Place> = LazyLock::new(|| night_until(CUT));

/// The outage's relay logs up to a time in a store.
pub(crate) fn night_until(cut: &str) -> Place {
    let place = Place::new();
    let spec = Outage2018 {
        seed: 12,
        history_days: 4,
        mails_per_day_scale: 0.08,
    };
    outage_2018(&place.path("logs"), &spec).expect("logs");
    configure(&place, "");
    for relay in RELAYS {
        let (name, rest) = (place.path(&format!("logs/{relay}/mainlog")), format!("{relay}.rest"));
        fs::rename(&name, place.path(&rest)).unwrap();
        fs::write(&name, "").unwrap();
    }
    go_on(&place, cut);
    place
}

/// The outage's relay logs up to [`CUT`] in a store, with channels for alarms.
pub(crate) fn begun(alerts: &str) -> Place {
    let place = Place::copy_of(&BEGUN);
    configure(&place, alerts);
    place
}

/// The logs go on up to a time.
pub(crate) fn go_on(place: &Place, until: &str) {
    for relay in RELAYS {
        let (name, rest) = (format!("logs/{relay}/mainlog"), format!("{relay}.rest"));
        let all = fs::read_to_string(place.path(&rest)).unwrap();
        let at = all
            .lines()
            .take_while(|line| *line < until)
            .map(|line| line.len() + 1)
            .sum();
        let (part, others) = all.split_at(at);
        let log = fs::read_to_string(place.path(&name)).unwrap();
        // A line shows that the log arrives; without one the host would be blind, and not silent.
        let alive = match others {
            "" => String::new(),
            _ => format!("{} Start queue run: pid=4711\n", just_before(until)),
        };
        place.write(&name, format!("{log}{part}{alive}"));
        place.write(&rest, others);
    }
    place.run(&["backfill", "logs/mx1001", "logs/mx2001"]).ends(0);
}

fn just_before(time: &str) -> String {
    let time: jiff::civil::DateTime = format!("{time}:00").parse().unwrap();
    let before = time - jiff::Span::new().seconds(1);
    before.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

pub(crate) fn configure(place: &Place, alerts: &str) {
    let config = fs::read_to_string(place.path("logs/mailpulse.toml")).expect("its configuration");
    let config = config.replace("paths = [\"", "paths = [\"logs/");
    place.write("mailpulse.toml", format!("{KEEP_ALONE}{config}\n{alerts}"));
}

/// The rest of the logs, with the recovery.
pub(crate) fn recover(place: &Place) {
    go_on(place, "2019-01-01 00:00");
}

/// A process that is ended with the test.
pub(crate) struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(30), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Alertmanager at a port that was kept for it, and one receiver for all.
fn alertmanager(place: &Place, at: &Reserved, hook: u16) -> Running {
    let config = format!(
        "route: {{receiver: hook, group_by: [alertname, name], group_wait: 1s, group_interval: 1s, repeat_interval: 4h}}\n\
         receivers: [{{name: hook, webhook_configs: [{{url: 'http://127.0.0.1:{hook}/', send_resolved: true}}]}}]\n"
    );
    alertmanager_with(place, at, &config)
}

/// The same with a configuration of one's own.
pub(crate) fn alertmanager_with(place: &Place, at: &Reserved, config: &str) -> Running {
    let port = at.port();
    let child = lab::program("/usr/bin/prometheus-alertmanager")
        .arg(format!("--config.file={}", place.write("am.yml", config).display()))
        .arg(format!("--storage.path={}", place.path("am").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=")
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("prometheus-alertmanager starts");
    let running = Running(child);
    until("Alertmanager answers", || held(port).is_some());
    running
}

/// What Alertmanager holds to fire.
pub(crate) fn held(port: u16) -> Option<Vec<Value>> {
    let url = format!("http://127.0.0.1:{port}/api/v2/alerts");
    let body = ureq::get(&url).call().ok()?.body_mut().read_to_string().ok()?;
    serde_json::from_str(&body).ok()
}

/// How often Alertmanager told that something fires, or is over.
fn pages(out: &Path, status: &str) -> usize {
    let bodies = posted(out);
    let is_it = |line: &&Value| {
        let body: Value = serde_json::from_str(line["body"].as_str().unwrap()).unwrap();
        body["status"] == status
    };
    bodies.iter().filter(is_it).count()
}

#[test]
#[ignore = "lab: needs prometheus-alertmanager"]
fn alertmanager_is_told_once_also_after_its_absence_and_a_restart_and_is_told_the_end() {
    let reserved = Reserved::new();
    let port = reserved.port();
    let alert = format!("[[alert]]\nkind = \"alertmanager\"\nurl = \"http://127.0.0.1:{port}\"\n");
    let place = begun(&alert);
    let out = place.path("pages");
    let (_hook, hook_port) = hook(&out);
    place.run(&ONCE).ends(1).says(&["not delivered"]);
    let status = place.run(&["status", "--nagios"]).ends(2);
    assert!(status.out.contains("CRITICAL - relay mx1001 dropped"), "{}", status.out);
    assert!(place.run(&["status"]).ends(0).out.contains("firing: relay mx1001"));

    let _alertmanager = alertmanager(&place, &reserved, hook_port);
    let mut watch = Running(
        place
            .command()
            .args(["watch", "--stale", "0", "--interval", "1s"])
            .spawn()
            .unwrap(),
    );
    until("the alarm arrives", || held(port).is_some_and(|all| all.len() == 1));
    let labels = &held(port).unwrap()[0]["labels"];
    assert_eq!((&labels["kind"], &labels["name"]), (&"relay".into(), &"mx1001".into()));
    assert_eq!(
        (&labels["state"], &labels["relay"]),
        (&"dropped".into(), &"mx1001".into())
    );
    until("the page", || pages(&out, "firing") == 1);
    stop(&mut watch.0);

    for _ in 0..2 {
        place.run(&ONCE).ends(1);
        std::thread::sleep(Duration::from_secs(2));
    }
    assert_eq!(held(port).unwrap().len(), 1);
    assert_eq!(pages(&out, "firing"), 1, "{:#?}", posted(&out));

    recover(&place);
    place.run(&ONCE).ends(0);
    until("the end", || held(port).is_some_and(|all| all.is_empty()));
    until("its page", || pages(&out, "resolved") == 1);
    place.run(&ONCE).ends(0);
    assert_eq!(pages(&out, "firing"), 1);
    place.run(&["status", "--nagios", "--stale-after", "99999d"]).ends(0);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn webhook_is_signed_and_a_hanging_one_holds_up_nobody() {
    let key = "a key of the test";
    let hang = TcpListener::bind("127.0.0.1:0").unwrap();
    let hang = (hang.local_addr().unwrap().port(), hang);
    let place = begun("");
    let out = place.path("posted");
    let (_hook, port) = hook(&out);
    place.write("hook.key", format!("{key}\n"));
    let alerts = format!(
        "[[alert]]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{}/\"\n\
         [[alert]]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/\"\nkey_file = \"hook.key\"\n\
         [[alert]]\nkind = \"exec\"\ncommand = [\"/bin/sh\", \"-c\", \"cat >> told.json\"]\n\
         [[alert]]\nkind = \"stdout\"\n",
        hang.0
    );
    configure(&place, &alerts);
    let begin = Instant::now();
    let first = place.run(&ONCE).ends(1).says(&["not delivered", &hang.0.to_string()]);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    recover(&place);
    let second = place.run(&ONCE).ends(0);

    let told = fs::read_to_string(place.path("told.json")).expect("exec got it");
    let lines: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(format!("{}{}", first.out, second.out), told);
    let status: Vec<&str> = lines.iter().map(|line| line["status"].as_str().unwrap()).collect();
    assert_eq!(status, ["firing", "resolved"], "{told}");
    assert_eq!(lines[0]["id"], lines[1]["id"]);
    assert_eq!(lines[0]["alarm"]["series"]["relay"], "mx1001");
    let ended: jiff::Timestamp = lines[1]["alarm"]["ended"].as_str().unwrap().parse().unwrap();
    assert!((ended.as_second() - RESTARTED).abs() <= 300, "{ended}");

    let posted = posted(&out);
    assert_eq!(posted.len(), 2);
    for (post, line) in posted.iter().zip(told.lines()) {
        let body = post["body"].as_str().unwrap();
        assert_eq!(body, line);
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let hex: String = mac
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(post["signature"], format!("sha256={hex}"));
    }
}

#[test]
fn what_is_silenced_is_told_when_the_silence_ends() {
    let silence =
        |until: &str| format!("[[silence]]\nrelay = \"mx10*\"\nuntil = \"{until}\"\n[[alert]]\nkind = \"stdout\"\n");
    let place = begun(&silence("2018-06-06T23:00Z"));
    assert_eq!(place.run(&ONCE).ends(0).out, "");
    configure(&place, &silence("2018-06-06T19:30Z"));
    assert!(place.run(&ONCE).ends(1).out.contains("relay mx1001: dropped"));
}

#[test]
#[ignore = "lab: needs prometheus-alertmanager"]
fn one_process_tells_the_alarm_and_when_mail_is_back_one_end_with_its_time() {
    let (reserved, place) = (Reserved::new(), begun(""));
    let port = reserved.port();
    let pages_out = place.path("pages");
    let (_pager, pager) = hook(&pages_out);
    let _alertmanager = alertmanager(&place, &reserved, pager);
    let out = place.path("posted");
    let (_hook, hook_port) = hook(&out);
    configure(
        &place,
        &format!(
            "[[alert]]\nkind = \"alertmanager\"\nurl = \"http://127.0.0.1:{port}\"\n\
             [[alert]]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{hook_port}/\"\n"
        ),
    );
    let mut watch = place.command();
    watch
        .args(["watch", "--stale", "0", "--interval", "1s"])
        .stdout(Stdio::null());
    let _watch = Running(watch.spawn().unwrap());
    until("the alarm", || posted(&out).len() == 1);
    until("its page", || pages(&pages_out, "firing") == 1);
    let status = |line: &Value| -> Value {
        let body: Value = serde_json::from_str(line["body"].as_str().unwrap()).unwrap();
        body
    };
    recover(&place);
    until("the end", || posted(&out).len() == 2);
    until("its page", || pages(&pages_out, "resolved") == 1);
    // Several rounds later nothing more has been said.
    std::thread::sleep(Duration::from_secs(4));
    let told: Vec<Value> = posted(&out).iter().map(status).collect();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert_eq!(
        (&told[0]["status"], &told[1]["status"]),
        (&"firing".into(), &"resolved".into())
    );
    assert_eq!(told[0]["id"], told[1]["id"]);
    assert_eq!((pages(&pages_out, "firing"), pages(&pages_out, "resolved")), (1, 1));
    let bodies: Vec<Value> = posted(&pages_out).iter().map(status).collect();
    let end = bodies.iter().find(|body| body["status"] == "resolved").unwrap();
    let ends: jiff::Timestamp = end["alerts"][0]["endsAt"].as_str().unwrap().parse().unwrap();
    assert!((ends.as_second() - RESTARTED).abs() <= 300, "{end:#}");
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn maintenance_holds_over_a_restart_and_what_outlasts_it_is_told_once() {
    let silence = "[[silence]]\nrelay = \"mx1001\"\nfrom = \"2018-06-06T18:00Z\"\nuntil = \"2018-06-06T21:00Z\"\n\
                   [[alert]]\nkind = \"stdout\"\n";
    let place = begun(silence);
    let said = |code: i32| -> Vec<Value> {
        let out = place.run(&ONCE).ends(code).out;
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    // Each run is a process of its own.
    for _ in 0..2 {
        assert_eq!(said(0), [] as [Value; 0], "the relay is down, and it is maintained");
    }
    go_on(&place, "2018-06-06 20:45");
    assert_eq!(said(0), [] as [Value; 0]);
    go_on(&place, "2018-06-06 22:00");
    let told = said(1);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(
        (&told[0]["status"], &told[0]["alarm"]["series"]["relay"]),
        (&"firing".into(), &"mx1001".into())
    );
    assert_eq!(said(1), [] as [Value; 0], "once");

    // Maintenance that begins while an alarm fires hides neither its end nor tells it again.
    let later = silence.replace("18:00Z", "22:00Z").replace("06T21:00Z", "07T23:00Z");
    configure(&place, &later);
    assert_eq!(said(1), [] as [Value; 0]);
    recover(&place);
    let ended = said(0);
    assert_eq!(ended.len(), 1, "{ended:#?}");
    assert_eq!(
        (&ended[0]["status"], &ended[0]["id"]),
        (&"resolved".into(), &told[0]["id"])
    );
}

#[test]
fn history_in_two_parts_says_the_same_as_the_whole() {
    let place = begun("");
    let store = place.store();
    let whole = fleet(&store, Window::ALL).unwrap();
    let (first, last) = whole.span();
    let half = first + (last - first) / 2;
    let part = |since: Minute, until: Minute, names| {
        let window = Window {
            since_ms: since.start(),
            until_ms: until.start(),
        };
        fleet_after(&store, window, names).unwrap()
    };
    let a = part(first, half, Names::default());
    let b = part(half, last, a.names.clone());
    assert!(b.names.services.starts_with(&a.names.services) && b.names.hosts.starts_with(&a.names.hosts));
    let told = |names: &Names, minutes: &[mailpulse::detect::fleet::FleetMinute]| -> Vec<String> {
        let flows = minutes
            .iter()
            .flat_map(|minute| minute.flows.iter().map(move |flow| (minute.at, flow)));
        let mut all: Vec<String> = flows
            .map(|(at, flow)| {
                let host = if flow.host == NONE { "-" } else { names.host(flow.host) };
                let service = names.service(flow.service);
                format!("{at:?} {service} {host} {:?} {}", flow.what, flow.count)
            })
            .collect();
        all.sort();
        all
    };
    let mut parts = told(&a.names, &a.minutes);
    parts.extend(told(&b.names, &b.minutes));
    parts.sort();
    assert!(parts.len() > 1_000);
    assert!(parts == told(&whole.names, &whole.minutes));
}
