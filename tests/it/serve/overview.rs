//! The overview of the night of 2018-06-06: who was paged reads for whom, since when, lost or late, by which relay, what next.

use super::{Served, night};
use crate::logs::passed_on;
use crate::util::{Place, now_ms};
use mailpulse::model::human;
use serde_json::Value;

/// The sentence of a page.
#[track_caller]
fn sentence(page: &str) -> &str {
    let begin = page.find("<h1>").expect("a headline") + 4;
    let length = page[begin..].find("</h1>").expect("its end");
    &page[begin..begin + length]
}

fn missing(incident: &Value) -> u64 {
    let hurt = ["lost", "delayed", "waiting", "bounced", "unknown"];
    let services = incident["services"].as_array().unwrap().iter();
    let of = |one: &Value| match hurt.contains(&one["impact"].as_str().unwrap()) {
        true => one["missing"].as_u64().unwrap(),
        false => 0,
    };
    services.map(of).sum()
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn the_night_is_told_as_the_incident_tells_it() {
    let place = night();
    for (at, words) in [
        ("2018-06-06T18:54Z", &["Mail flows", "no alarm"][..]),
        (
            "2018-06-06T19:05Z",
            &["stopped at 18:55", "mx1001 has taken nothing since"],
        ),
        (
            "2018-06-06T22:00Z",
            &["stopped at 18:55", "mx1001 has taken nothing since"],
        ),
        ("2018-06-07T02:30Z", &["Mail flows"]),
    ] {
        let served = Served::start(place, &["--at", at]);
        let page = served.page("/");
        let told = sentence(&page);
        for word in words {
            assert!(told.contains(word), "{at}: {told}");
        }
        assert!(page.contains("The clock stands still"), "{at}");
        if told.starts_with("Mail flows") {
            continue;
        }
        let args = [
            "incident",
            "--since",
            "2018-06-06T18:55Z",
            "--until",
            at,
            "--format",
            "json",
        ];
        let incident: Value = serde_json::from_str(&place.run(&args).ends(1).out).unwrap();
        assert!(
            told.contains(&format!("{} mails are missing", missing(&incident))),
            "{at}: {told}\n{incident}"
        );
        let found: Value =
            serde_json::from_str(&place.run(&["detect", "--until", at, "--format", "json"]).out).unwrap();
        let alarms = found.as_array().unwrap().iter();
        let firing = alarms.filter(|alarm| alarm["ended"].is_null() && alarm["series"]["relay"] == "mx1001");
        let ids: Vec<&str> = firing.map(|alarm| alarm["notice_id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), 1, "{at}: {found}");
        assert!(page.contains(&format!("/incident?alarm={}", ids[0])), "{at}: {ids:?}");
        assert!(
            page.contains("service?name=phabricator") && page.contains("Look at the MTA on mx1001"),
            "{at}"
        );
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_relay_that_stopped_says_what_came_since_as_its_services_do() {
    let served = Served::start(night(), &["--at", "2018-06-06T19:20Z"]);
    let board: Value = serde_json::from_str(&served.page("/api/v1/board")).unwrap();
    let row = |rows: &str, name: &str| -> Value {
        let mut rows = board[rows].as_array().unwrap().iter();
        rows.find(|row| row["name"] == name).cloned().unwrap()
    };
    let relay = row("relays", "mx1001");
    assert_eq!(relay["came_since"], 0, "{relay}");
    // What it carried is what its services miss, and the parts of those that went another way.
    let services = board["services"].as_array().unwrap().iter();
    let missed: f64 = services.filter_map(|row| row["expected_since"].as_f64()).sum();
    let expected = relay["expected_since"].as_f64().unwrap();
    assert!(
        missed > 30.0 && (missed..4.0 * missed).contains(&expected),
        "{missed} {relay}"
    );
    let whole = row("relays", "mx2001");
    assert!(
        whole["came_since"].is_null() && whole["hour"].as_f64().unwrap() > 0.0,
        "{whole}"
    );
    // Its only service has the alarm, or the relay that carries its mail.
    let group = row("hostgroups", "phab");
    let service = row("services", "phabricator");
    assert_eq!(service["state"], "dropped", "{service}");
    for same in ["state", "alarm", "came_since"] {
        assert_eq!(group[same], service[same], "{same}: {group} {service}");
    }
    let told = format!("0 since 18:55, where about {expected:.0} were expected: about {expected:.0} missing");
    let page = served.page("/relay?name=mx1001");
    assert!(page.contains(&told), "{told}\n{page}");
    let now = served.page("/");
    let (_, relays) = now.split_once("id=\"relays\"").unwrap();
    let row = relays.split("</tr>").find(|row| row.contains("mx1001")).unwrap();
    assert!(
        row.contains("0 since 18:55") && row.contains(&format!("about {expected:.0}")),
        "{row}"
    );
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn providers_of_a_relay_are_those_of_the_command() {
    let served = Served::start(night(), &["--at", "2018-06-06T18:50Z"]);
    let page = served.settled("/relay?name=mx1001").body;
    let args = [
        "providers",
        "--since",
        "2018-06-05T18:50Z",
        "--until",
        "2018-06-06T18:50Z",
        "--format",
        "json",
    ];
    let told: Value = serde_json::from_str(&night().run(&args).ends(0).out).unwrap();
    let rows = told.as_array().unwrap().iter();
    let mut seen = 0;
    for row in rows.filter(|row| row["relay"] == "mx1001" && row["p50_ms"].is_i64()) {
        let link = format!("provider?name={}\"", row["provider"].as_str().unwrap());
        let shown = page.split("<tr").find(|shown| shown.contains(&link)).expect(&link);
        for (key, words) in [
            ("p50_ms", human::duration as fn(i64) -> String),
            ("p95_ms", human::duration),
            ("attempts", human::count),
        ] {
            let words = words(row[key].as_i64().unwrap());
            assert!(shown.contains(&format!(">{words}<")), "{key} {words}: {shown}");
        }
        seen += 1;
    }
    assert!(seen > 3, "{told}");
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn sums_below_the_boards_are_those_of_their_rows() {
    let served = Served::start(night(), &["--at", "2018-06-06T18:50Z"]);
    let page = served.settled("/").body;
    let board: Value = serde_json::from_str(&served.page("/api/v1/board")).unwrap();
    let sum = |rows: &str, key: &str| -> i64 {
        let rows = board[rows].as_array().unwrap().iter();
        rows.map(|row| row[key].as_f64().unwrap() as i64).sum()
    };
    let row = |id: &str| {
        let (_, row) = page.split_once(&format!("<tr id=\"{id}\"")).expect(id);
        row.split("</tr>").next().unwrap().to_owned()
    };
    let services = row("services-sum");
    assert!(
        services.contains(&format!(">{}</td>", human::count(sum("services", "hour")))),
        "{services}"
    );
    let providers = row("providers-sum");
    let (all, deferred) = (sum("providers", "attempts"), sum("providers", "deferred"));
    assert!(
        providers.contains(&format!(">{}</td>", human::count(all))),
        "{providers}"
    );
    let percent = format!(">{:.1} %</td>", 100.0 * deferred as f64 / all as f64);
    assert!(providers.contains(&percent), "{percent}: {providers}");
    // A mail may pass two relays.
    assert!(!page.contains("relays-sum"), "{page}");
}

/// Mails that relays accepted, as the page of a service says.
fn accepted(page: &str) -> &str {
    let (_, table) = page.split_once("What became of it").expect("the table");
    let (_, rows) = table.split_once("<tbody>").expect("rows");
    let (_, cell) = rows
        .split_once("<td")
        .and_then(|(_, cell)| cell.split_once('>'))
        .expect("a cell");
    cell.split('<').next().unwrap()
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn what_pages_share_is_asked_again_when_rows_come() {
    let place = Place::new();
    let minutes = |n: i64| now_ms() / 1_000 - 60 * n;
    let first =
        passed_on(minutes(30), "1fQX01-000001-A1", "shop") + &passed_on(minutes(29), "1fQX01-000002-A1", "news");
    place.write("main.log", &first);
    place.backfill(&[&place.path("main.log")]).ends(0);
    let served = Served::start(&place, &[]);
    assert_eq!(accepted(&served.settled("/service?name=shop").body), "1");
    place.write("main.log", first + &passed_on(minutes(1), "1fQX01-000003-A1", "news"));
    place.backfill(&[&place.path("main.log")]).ends(0);
    // Nobody has asked for this page, and its table was asked for all services.
    assert_eq!(accepted(&served.settled("/service?name=news").body), "2");
    assert_eq!(accepted(&served.settled("/service?name=shop&from=-24h").body), "1");
}

#[test]
fn a_store_that_is_not_there_is_named_and_comes_back_by_itself() {
    let place = Place::new();
    let served = Served::start(&place, &[]);
    let reply = served.get("/");
    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(
        reply.body.contains("The store does not answer") && reply.body.contains("http-equiv=\"refresh\""),
        "{reply:?}"
    );
    assert!(!reply.body.contains(place.path("store").to_str().unwrap()), "{reply:?}");
    assert_eq!(served.get("/healthz").status, 200);
    place.write("empty.log", "");
    place.backfill(&[&place.path("empty.log")]).ends(0);
    let page = served.page("/");
    assert!(sentence(&page).contains("the store has no mail yet"), "{page}");
    assert!(page.contains("verdict unknown"), "an empty store is not green: {page}");
}

#[test]
fn a_server_that_is_away_is_named_without_its_address() {
    let place = Place::new();
    let free = crate::util::Reserved::new();
    let url = format!("clickhouse://someone@127.0.0.1:{}/mail", free.port());
    let served = Served::start(&place, &["--store", &url]);
    let reply = served.settled("/");
    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(
        reply.body.contains("The store does not answer") && !reply.body.contains("someone"),
        "{reply:?}"
    );
    assert_eq!(served.get("/healthz").status, 200);
}

/// The names of a board's rows, from above.
fn names(page: &str, board: &str) -> Vec<String> {
    let (_, board) = page
        .split_once(&format!("<section class=\"board\" id=\"{board}\">"))
        .expect("the board");
    // Without their sum.
    let (board, _) = board.split_once("</tbody>").expect("its end");
    let rows = board.split("<th scope=\"row\">").skip(1);
    let name = |row: &str| {
        row.split('>')
            .nth(1)
            .and_then(|rest| rest.split('<').next())
            .unwrap()
            .to_owned()
    };
    rows.map(name).collect()
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn boards_are_sorted_by_links_without_script() {
    let served = Served::start(night(), &["--at", "2018-06-06T19:05Z"]);
    let page = served.page("/?q=i&state=all");
    let link = "/?state=all&#38;q=i&#38;sort=name";
    assert!(
        page.contains(link) || page.contains(&link.replace("&#38;", "&amp;")),
        "{page}"
    );
    let usual = names(&page, "services");
    let by_name = names(&served.page("/?state=all&q=i&sort=name"), "services");
    let mut sorted = usual.clone();
    sorted.sort();
    assert!(usual.len() > 3 && usual != sorted, "{usual:?}");
    assert_eq!(by_name, sorted);
    let by_hour = served.page("/?sort=hour");
    assert_eq!(names(&by_hour, "services")[0], "wiki");
    assert!(
        by_hour.contains("aria-sort=\"descending\"><a href=\"/?sort=-hour\">last hour<"),
        "{by_hour}"
    );
    let turned = served.page("/?sort=-hour");
    assert!(
        turned.contains("aria-sort=\"ascending\"><a href=\"/?sort=hour\">last hour<"),
        "{turned}"
    );
    assert_eq!(names(&turned, "services").last().unwrap(), "wiki");
    sorted.reverse();
    assert_eq!(names(&served.page("/?state=all&q=i&sort=-name"), "services"), sorted);
    assert!(
        by_hour.contains("name=\"sort\" value=\"hour\""),
        "the form keeps the order"
    );
    assert_eq!(
        names(&served.page("/?sort=nonsense"), "services"),
        names(&served.page("/"), "services")
    );
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn below_a_path_all_links_stay_there() {
    let served = Served::start(night(), &["--at", "2018-06-06T19:05Z", "--base-path", "/mail/pulse/"]);
    assert_eq!(served.base, "/mail/pulse/");
    let page = served.page("/mail/pulse/");
    for link in page.split("href=\"").skip(1).chain(page.split("src=\"").skip(1)) {
        assert!(
            link.starts_with("/mail/pulse/") || link.starts_with('#'),
            "{}",
            &link[..40.min(link.len())]
        );
    }
    assert_eq!(served.get("/").status, 404);
    assert_eq!(served.get("/mail/pulse").header("location"), "/mail/pulse/");
    assert_eq!(served.get("/mail/pulse/healthz").status, 200);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn a_page_is_small_and_does_without_script_and_style_attributes() {
    let served = Served::start(night(), &["--at", "2018-06-06T19:05Z"]);
    let page = served.page("/");
    let style = served.page("/static/style.css");
    let script = served.page("/static/live.js");
    assert!(page.len() + style.len() + script.len() < 300_000, "{}", page.len());
    assert!(!page.contains(" style=") && !page.contains("<style"), "{page}");
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "nothing comes from elsewhere"
    );
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn every_page_answers_and_every_link_leads_somewhere() {
    let served = Served::start(night(), &["--at", "2018-06-06T22:00Z"]);
    let mut links = vec!["/".to_owned()];
    let mut at = 0;
    let mut kinds = std::collections::BTreeMap::new();
    while at < links.len() {
        let link = links[at].clone();
        at += 1;
        // A few of each kind: pages of a kind are made alike.
        let kind = link.split('?').next().unwrap_or_default().to_owned();
        let seen = kinds.entry(kind).or_insert(0);
        *seen += 1;
        if *seen > 2 {
            continue;
        }
        let page = served.page(&link);
        assert!(!page.contains(" style=") && !page.contains("NaN"), "{link}: {page}");
        for next in page.split("href=\"").skip(1) {
            let next = next.split('"').next().unwrap().replace("&amp;", "&");
            assert!(next.starts_with('/') || next.starts_with('#'), "{link}: {next}");
            if next.starts_with('/') && !next.starts_with("/graph.png") && !links.contains(&next) {
                links.push(next);
            }
        }
    }
    let kinds: Vec<&str> = kinds.keys().map(String::as_str).collect();
    for kind in [
        "/alarms",
        "/incident",
        "/incident.md",
        "/relay",
        "/routes",
        "/service",
        "/sources",
        "/trace",
        "/provider",
        "/graph.csv",
    ] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn broken_parameters_are_refused_with_a_reason() {
    let served = Served::start(night(), &["--at", "2018-06-06T19:05Z"]);
    for (path, status, words) in [
        ("/service", 400, "name: which service?"),
        ("/service?name=gerrit&from=yesterday", 400, "from: "),
        ("/service?name=gerrit&from=now&to=-1h", 400, "is not before"),
        ("/service?name=gerrit&from=-401d", 400, "at most 400 days"),
        ("/service?name=nobody", 404, "No service of this name"),
        ("/incident", 400, "which alarm"),
        (
            "/incident?alarm=relay/nobody/2018-06-06T18:55:00Z",
            404,
            "no such alarm",
        ),
        ("/incident?from=-60d", 400, "at most 31 days"),
        ("/trace?id=someone@example.org", 200, "Unknown"),
        ("/trace?id=a%20b", 400, "neither a queue ID"),
        ("/graph.svg?by=x", 400, "by: `x`"),
        ("/graph.csv?kind=x", 400, "kind: "),
        (
            &format!("/service?name={}", "x".repeat(1_001)),
            400,
            "at most 1000 characters",
        ),
    ] {
        let reply = served.settled(path);
        assert_eq!(reply.status, status, "{path}: {}", reply.body);
        assert!(reply.body.contains(words), "{path}: {}", reply.body);
    }
}
