//! Who may ask what. A page on loopback is reached by every program on the machine, and by every web site that its user opens.

use super::Served;
use crate::util::{KEEP, Place, stop};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A place whose pages need a token.
fn guarded(more: &str) -> Place {
    let place = Place::with(&format!(
        "{KEEP}[serve]\nauth = \"token\"\ntoken_file = \"token\"\n{more}"
    ));
    let path = place.write("token", TOKEN);
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    place
}

#[test]
fn every_answer_has_the_headers_that_keep_a_browser_safe() {
    let place = Place::new();
    let served = Served::start(&place, &[]);
    for (path, policy) in [
        ("/", "script-src 'self'"),
        ("/healthz", "sandbox"),
        ("/static/style.css", "sandbox"),
        ("/static/icon.svg", "sandbox"),
        ("/nowhere", "form-action 'self'"),
        ("/api/v1/nowhere", "sandbox"),
    ] {
        for (method, headers) in [
            ("GET", &[][..]),
            ("HEAD", &[]),
            ("POST", &[]),
            ("GET", &[("Host", "evil.example")]),
        ] {
            let reply = served.ask(method, path, headers);
            let all = format!("{method} {path}: {reply:?}");
            let csp = reply.header("content-security-policy");
            for word in ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
                assert!(csp.contains(word), "{all}");
            }
            assert!(csp.contains(policy) || method == "POST" || reply.status == 421, "{all}");
            assert!(!csp.contains("unsafe"), "{all}");
            assert_eq!(reply.header("x-content-type-options"), "nosniff", "{all}");
            assert_eq!(reply.header("cross-origin-resource-policy"), "same-origin", "{all}");
            assert_eq!(reply.header("referrer-policy"), "no-referrer", "{all}");
            assert_eq!(reply.header("cache-control"), "no-store", "{all}");
        }
    }
    let icon = served.page("/static/icon.svg");
    assert!(!icon.contains("style="), "{icon}");
}

#[test]
fn nothing_but_get_and_head_is_answered() {
    let place = Place::new();
    let served = Served::start(&place, &[]);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
        let reply = served.ask(method, "/healthz", &[]);
        assert_eq!(
            (reply.status, reply.header("allow")),
            (405, "GET, HEAD"),
            "{method}: {reply:?}"
        );
    }
    let head = served.ask("HEAD", "/healthz", &[]);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn a_name_that_resolves_to_this_machine_is_not_its_name() {
    let place = Place::with(&format!(
        "{KEEP}[serve]\nhosts = [\"Mail.example.org\"]\nurl_base = \"http://localhost:1/\"\n"
    ));
    let served = Served::start(&place, &[]);
    for good in [
        "127.0.0.1",
        "127.0.0.1:99",
        "localhost:8425",
        "LocalHost",
        "[::1]:8425",
        "mail.example.org:443",
        "localhost.",
    ] {
        assert_eq!(served.get_with("/healthz", &[("Host", good)]).status, 200, "{good}");
    }
    for bad in [
        "evil.example",
        "127.0.0.1.evil.example",
        "192.0.2.1",
        "localhost.evil.example",
        "",
        "a b",
        "mail.example.org@evil.example",
    ] {
        let reply = served.get_with("/healthz", &[("Host", bad)]);
        assert_eq!(reply.status, 421, "{bad}: {reply:?}");
    }
    assert_eq!(served.get_with("/healthz", &[("Host", "-")]).status, 421, "none");
    let two = served.get_with("/healthz", &[("Host", "localhost"), ("Host", "evil.example")]);
    assert_eq!(two.status, 421, "two");
    let reply = served.get_with("http://evil.example/healthz", &[("Host", "localhost")]);
    assert_eq!(reply.status, 421, "an address in absolute form");
    // Links are made of the configuration alone.
    let reply = served.get_with(
        "/nowhere",
        &[("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "https")],
    );
    assert!(!reply.body.contains("evil.example"), "{reply:?}");
}

#[test]
fn another_site_may_link_to_a_page_and_load_nothing() {
    let place = Place::new();
    let served = Served::start(&place, &[]);
    let asked = |path: &str, site: &str, mode: &str, dest: &str| {
        let headers = [
            ("Sec-Fetch-Site", site),
            ("Sec-Fetch-Mode", mode),
            ("Sec-Fetch-Dest", dest),
        ];
        served.get_with(path, &headers).status
    };
    for site in ["cross-site", "same-site"] {
        assert_eq!(
            asked("/nowhere", site, "navigate", "document"),
            404,
            "a link from elsewhere"
        );
        assert_eq!(asked("/nowhere", site, "navigate", "iframe"), 403);
        assert_eq!(asked("/nowhere", site, "no-cors", "image"), 403);
        assert_eq!(asked("/static/style.css", site, "no-cors", "style"), 403);
        for data in ["/api/v1/now", "/metrics", "/events", "/graph.svg", "/incident.md"] {
            assert_eq!(asked(data, site, "navigate", "document"), 403, "{data}");
        }
    }
    assert_eq!(asked("/static/style.css", "same-origin", "no-cors", "style"), 200);
    assert_eq!(asked("/static/icon.svg", "none", "navigate", "document"), 200);
}

#[test]
fn a_token_opens_the_pages_and_guessing_is_slow() {
    let place = guarded("");
    let served = Served::start(&place, &[]);
    let status = |header: &str| served.get_with("/nowhere", &[("Authorization", header)]).status;
    let asked = served.get("/nowhere");
    assert_eq!(asked.status, 401);
    assert!(
        asked.header("www-authenticate").starts_with("Basic realm="),
        "{asked:?}"
    );
    assert_eq!(
        served.get(&format!("/nowhere?token={TOKEN}")).status,
        401,
        "never in an address"
    );
    assert_eq!(status(&format!("Bearer {TOKEN}")), 404);
    // "me:0123…" in base64.
    assert_eq!(status("Basic bWU6MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="), 404);
    let health = served.get("/healthz");
    assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));
    for _ in 0..10 {
        assert_eq!(status("Bearer wrong"), 401);
    }
    let late = served.get_with("/nowhere", &[("Authorization", &format!("Bearer {TOKEN}"))]);
    assert_eq!(late.status, 429);
    assert!(
        late.header("retry-after")
            .parse::<u64>()
            .is_ok_and(|s| (1..=61).contains(&s)),
        "{late:?}"
    );
}

#[test]
fn whose_guess_it_is_says_a_trusted_proxy_alone() {
    let place = guarded("trusted_proxies = [\"127.0.0.1\"]\n");
    let served = Served::start(&place, &[]);
    let wrong = |from: &str| {
        let headers = [("Authorization", "Bearer wrong"), ("X-Forwarded-For", from)];
        served.get_with("/nowhere", &headers).status
    };
    for _ in 0..10 {
        // What stands before the last address is the client's own word.
        assert_eq!(wrong("203.0.113.9, 198.51.100.1"), 401);
    }
    assert_eq!(wrong("203.0.113.77, 198.51.100.1"), 429);
    assert_eq!(wrong("198.51.100.2"), 401, "another client");
}

#[test]
fn pages_are_open_to_nobody_by_mistake() {
    for (config, place, words) in [
        ("listen = \"0.0.0.0:8425\"\n", 7, &["token_file", "trusted_proxies"][..]),
        (
            "listen = \"0.0.0.0:8425\"\ntoken_file = \"token\"\n",
            7,
            &["TLS", "trusted_proxies"],
        ),
        (
            "url_base = \"https://mail.example.org/\"\n",
            7,
            &["auth = \"token\"", "auth = \"proxy\""],
        ),
        ("auth = \"token\"\n", 7, &["token_file"]),
        ("listen = \"localhost\"\n", 7, &["127.0.0.1:8425"]),
        ("url_base = \"javascript:alert(1)\"\n", 7, &["https://"]),
        ("hosts = [\"*\"]\n", 7, &["host name"]),
        ("trusted_proxies = [\"all\"]\n", 7, &["192.0.2.0/24"]),
    ] {
        let test = Place::with(&format!(
            "[store]\nurl = \"store\"\n[privacy]\nlocal_parts = \"keep\"\n\n[serve]\n{config}"
        ));
        let line = format!("mailpulse.toml:{place}:");
        test.run(&["serve"]).ends(2).says(&[line.as_str()]).says(words);
    }
    let test = Place::new();
    test.run(&["serve", "--listen", "0.0.0.0:0"])
        .ends(2)
        .says(&["--listen 0.0.0.0:0", "token_file"]);
    let open = guarded("");
    fs::set_permissions(open.path("token"), fs::Permissions::from_mode(0o644)).unwrap();
    open.run(&["serve", "--listen", "127.0.0.1:0"])
        .ends(2)
        .says(&["chmod 600"]);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let place = Place::new();
    let served = Served::start(&place, &[]);
    let address = format!("127.0.0.1:{}", served.port);
    place
        .run(&["serve", "--listen", &address])
        .ends(2)
        .says(&[&address, "another process", "--listen"]);
}

#[test]
fn what_is_too_long_is_refused() {
    let place = Place::with(&format!("{KEEP}[serve]\nconnections_max = 2\n"));
    let served = Served::start(&place, &[]);
    let long = format!("/nowhere?q={}", "a".repeat(5_000));
    assert_eq!(served.get(&long).status, 414);
    let head = "b".repeat(20_000);
    assert_eq!(served.get_with("/healthz", &[("X-Long", &head)]).status, 431);
    // Two who say nothing hold all connections; a third is closed at once.
    let held = [served.connect(), served.connect()];
    let begin = Instant::now();
    let mut third = served.connect();
    let _ = third.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut answer = Vec::new();
    let _ = third.read_to_end(&mut answer);
    assert!(
        answer.is_empty() && begin.elapsed() < Duration::from_secs(5),
        "{answer:?}"
    );
    drop(held);
    let again = || served.get("/healthz").status == 200;
    assert!((0..50).any(|_| again() || {
        std::thread::sleep(Duration::from_millis(100));
        false
    }));
}

#[test]
fn it_ends_at_once_whoever_is_connected() {
    let place = Place::new();
    let mut served = Served::start(&place, &[]);
    let mut held: Vec<_> = (0..50).map(|_| served.connect()).collect();
    for stream in &mut held {
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /heal")
            .unwrap();
    }
    let mut answer = [0; 12];
    held[49].read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let begin = Instant::now();
    stop(&mut served.child);
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}
