//! What `top` draws, on terminals of several sizes, and how keys change it.

use super::plain::plain;
use super::state::{BoardTimes, TopAction, TopApp, TopEvent};
use super::style::TerminalStyle;
use super::view::draw;
use crate::analysis::overview::{
    BoardSnapshot, SnapshotAlarm, SnapshotClock, SnapshotMissing, SnapshotProvider, SnapshotQueue, SnapshotRow,
    SnapshotSource, SnapshotVerdict, StateClass,
};
use crate::model::time::{HOUR_MS, MINUTE_MS, SECOND_MS, UtcMs};
use mailpulse_parsers::harmless::deceives;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Color;

/// 2018-06-06 19:05 UTC.
const NOW: i64 = 1_528_311_900_000;
const STOPPED: i64 = NOW - 10 * MINUTE_MS;
const ALARM: &str = "relay/mx1001/2018-06-06T18:55:00Z";

const LOOK: TerminalStyle = TerminalStyle {
    has_colours: true,
    is_ascii: false,
};

fn row(name: &str, hour: f64) -> SnapshotRow {
    SnapshotRow {
        name: name.to_owned(),
        state: "ok".to_owned(),
        class: StateClass::Ok,
        provisional: false,
        alarm: None,
        onset: None,
        last: Some(UtcMs::new(NOW - 20 * SECOND_MS)),
        hour,
        expected_low: Some(hour - 10.5),
        expected_high: Some(hour + 10.5),
        came_since: None,
        expected_since: None,
        day: (0..96)
            .map(|at| (at != 40).then(|| hour / 4.0 * f64::from(at % 12)))
            .collect(),
    }
}

fn alarmed(name: &str, state: &str) -> SnapshotRow {
    SnapshotRow {
        state: state.to_owned(),
        class: StateClass::Bad,
        alarm: Some(ALARM.to_owned()),
        onset: Some(UtcMs::new(STOPPED)),
        last: Some(UtcMs::new(STOPPED - 30 * SECOND_MS)),
        came_since: Some(0),
        expected_since: Some(16.4),
        ..row(name, 80.0)
    }
}

fn verdict() -> SnapshotVerdict {
    SnapshotVerdict {
        standing: "trouble".to_owned(),
        class: StateClass::Bad,
        sentence: "Mail of 2 of 6 services stopped at 18:55; mx1001 has taken nothing since; 41 mails are missing: lost rather \
                   than late."
            .to_owned(),
        more: vec!["At risk: hue depend on mx1001, and miss no mail yet.".to_owned()],
        next: Some("Look at the MTA on mx1001: does it run, and does it accept connections?".to_owned()),
        alarm: Some(ALARM.to_owned()),
        affected: vec!["gerrit".to_owned(), "sentry".to_owned()],
        relay: Some("mx1001".to_owned()),
        since: Some(UtcMs::new(STOPPED)),
        missing: SnapshotMissing {
            all: 41,
            lost: 41,
            ..SnapshotMissing::default()
        },
    }
}

fn queue(service: &str, relay: &str, messages: u64) -> SnapshotQueue {
    SnapshotQueue {
        service: service.to_owned(),
        relay: relay.to_owned(),
        messages,
        recipients: messages,
        oldest: Some(UtcMs::new(NOW - 2 * HOUR_MS)),
        next_try: Some(UtcMs::new(NOW + 5 * MINUTE_MS)),
        drain_per_minute: Some(1.5),
        gone_at: Some(UtcMs::new(NOW + HOUR_MS)),
        ..SnapshotQueue::default()
    }
}

fn provider(name: &str, deferred: i64) -> SnapshotProvider {
    SnapshotProvider {
        name: name.to_owned(),
        state: "ok".to_owned(),
        class: StateClass::Ok,
        provisional: false,
        alarm: None,
        attempts: 1_200,
        deferred,
        bounced: 3,
        usual_attempts: 30_000,
        usual_deferred: 240,
        usual_bounced: 60,
        reason: Some("greylisted".to_owned()),
    }
}

/// The night of the outage, ten minutes after the stop.
fn night() -> BoardSnapshot {
    let young = SnapshotRow {
        state: "dropped".to_owned(),
        class: StateClass::Calm,
        provisional: true,
        ..row("wiki", 12.0)
    };
    let quiet = SnapshotRow {
        state: "quiet".to_owned(),
        class: StateClass::Calm,
        last: None,
        expected_low: None,
        expected_high: None,
        day: vec![Some(0.0); 96],
        ..row("old_tool", 0.0)
    };
    BoardSnapshot {
        as_of: UtcMs::new(NOW - 4 * SECOND_MS),
        judged_until: Some(UtcMs::new(NOW - MINUTE_MS)),
        now: UtcMs::new(NOW),
        clock: SnapshotClock::Live,
        verdict: verdict(),
        lacks: Vec::new(),
        alarms: vec![SnapshotAlarm {
            id: ALARM.to_owned(),
            kind: "relay".to_owned(),
            name: "mx1001".to_owned(),
            state: "dropped".to_owned(),
            class: StateClass::Bad,
            provisional: false,
            onset: UtcMs::new(STOPPED),
            detected: UtcMs::new(STOPPED + 2 * MINUTE_MS),
            members: vec!["gerrit".to_owned(), "sentry".to_owned()],
            evidence: vec!["mx1001 took 0 mails where 92 were expected".to_owned()],
        }],
        step_s: 900,
        services: vec![
            alarmed("gerrit", "dropped"),
            alarmed("sentry", "refused"),
            young,
            row("phabricator", 1_456.0),
            row("mailman", 310.0),
            row("cron", 42.0),
            quiet,
        ],
        relays: vec![alarmed("mx1001", "dropped"), row("mx2001", 900.0)],
        hostgroups: Vec::new(),
        providers: vec![provider("google", 12), provider("microsoft", 150)],
        backlog: queue("", "", 61),
        queues: vec![queue("phabricator", "mx2001", 58), queue("cron", "mx2001", 3)],
        sources: vec![
            SnapshotSource {
                host: "mx1001".to_owned(),
                source: "exim".to_owned(),
                state: "stale".to_owned(),
                class: StateClass::Unknown,
                last: Some(UtcMs::new(STOPPED)),
                lag_s: Some(2),
                unparsed: 0,
            },
            SnapshotSource {
                host: "mx2001".to_owned(),
                source: "exim".to_owned(),
                state: "ok".to_owned(),
                class: StateClass::Ok,
                last: Some(UtcMs::new(NOW - 5 * SECOND_MS)),
                lag_s: Some(1),
                unparsed: 3,
            },
        ],
    }
}

const FRESH: BoardTimes = BoardTimes {
    at_ms: 0,
    next_in_ms: 5_000,
};

fn showing(board: BoardSnapshot, size: (u16, u16)) -> TopApp {
    let mut app = TopApp::new(LOOK, size);
    app.update(TopEvent::Board(Ok(Box::new(board)), FRESH));
    app
}

fn drawn(app: &TopApp, at_ms: i64) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(app.size.0, app.size.1)).unwrap();
    terminal.draw(|frame| draw(app, at_ms, frame)).unwrap();
    terminal.backend().buffer().clone()
}

fn text(app: &TopApp, at_ms: i64) -> String {
    let buffer = drawn(app, at_ms);
    let lines = buffer.content.chunks(usize::from(app.size.0));
    let line = |cells: &[ratatui::buffer::Cell]| cells.iter().map(|cell| cell.symbol()).collect::<String>();
    lines.map(|cells| line(cells).trim_end().to_owned() + "\n").collect()
}

fn press(app: &mut TopApp, keys: &str) -> Option<TopAction> {
    let mut last = None;
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\u{1b}' => KeyCode::Esc,
            c => KeyCode::Char(c),
        };
        last = app.update(TopEvent::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }
    last
}

#[test]
fn the_board_at_three_sizes() {
    for (columns, lines) in [(40, 12), (80, 24), (120, 40)] {
        let app = showing(night(), (columns, lines));
        insta::assert_snapshot!(format!("board_{columns}x{lines}"), text(&app, 0));
    }
}

#[test]
fn each_tab_at_80_columns() {
    let mut app = showing(night(), (80, 24));
    for tab in ["relays", "providers", "backlog", "alarms", "sources"] {
        press(&mut app, "\t");
        insta::assert_snapshot!(format!("tab_{tab}"), text(&app, 0));
    }
    press(&mut app, "\t");
    assert!(text(&app, 0).contains("gerrit"), "the last tab is before the first");
}

#[test]
fn a_terminal_of_20_by_5_shows_the_verdict_and_what_is_needed() {
    let app = showing(night(), (20, 5));
    insta::assert_snapshot!("board_20x5", text(&app, 0));
    for size in [(1, 1), (3, 2), (31, 7), (200, 3), (2, 60)] {
        assert!(text(&showing(night(), size), 0).starts_with('▲'), "{size:?}");
    }
}

#[test]
fn a_row_expands_to_its_day_and_the_incident() {
    let mut app = showing(night(), (80, 30));
    assert_eq!(press(&mut app, "e"), Some(TopAction::AskReport(ALARM.to_owned())));
    assert!(text(&app, 0).contains("The incident is being judged"));
    // Another one's report is not this page's.
    app.update(TopEvent::Report("relay/other".to_owned(), Ok("# other".to_owned())));
    assert!(text(&app, 0).contains("The incident is being judged"));
    let report = "# 2018-06-06: mx1001 took no mail\n\n## Services\n\n| service | impact | expected | came |\n|---|---|---:|---:|\n\
                  | gerrit | lost | 16.4 | 0 |\n| a\\|b&lt;\\*c\\* | none | 1,000.5 | 999 |\n\n## Timeline (UTC)\n\n* 2018-06-06T18:55:00Z mx1001 \
                  took no mail any more, and nobody noticed for a long time\n";
    app.update(TopEvent::Report(ALARM.to_owned(), Ok(report.to_owned())));
    insta::assert_snapshot!("page_of_a_row", text(&app, 0));
    app.update(TopEvent::Size(80, 12));
    press(&mut app, "G");
    assert!(text(&app, 0).contains("long time"), "{}", text(&app, 0));
    app.update(TopEvent::Size(80, 30));
    assert_eq!(press(&mut app, "q"), None);
    assert!(text(&app, 0).contains("Relays"), "back on the board");
    // Without an alarm there is no incident to ask for.
    press(&mut app, "jjj");
    assert_eq!(press(&mut app, "e"), None);
    assert!(text(&app, 0).contains("phabricator") && text(&app, 0).contains("highest:"));
}

#[test]
fn the_verdict_and_the_help_have_pages() {
    let mut app = showing(night(), (80, 24));
    assert_eq!(press(&mut app, "v"), Some(TopAction::AskReport(ALARM.to_owned())));
    app.update(TopEvent::Report(
        ALARM.to_owned(),
        Err("there is no such alarm any more".to_owned()),
    ));
    insta::assert_snapshot!("page_of_the_verdict", text(&app, 0));
    press(&mut app, "q?");
    insta::assert_snapshot!("page_of_keys", text(&app, 0));
}

#[test]
fn what_is_old_never_looks_current() {
    let app = showing(night(), (80, 24));
    assert!(
        text(&app, 9_000).contains("as of 19:04:56 UTC (13 s ago)"),
        "{}",
        text(&app, 9_000)
    );
    assert!(
        text(&app, 0).contains("20 s ago") && text(&app, 9_000).contains("29 s ago"),
        "ages tick"
    );
    let old = text(&app, 70_000);
    assert!(
        old.contains("OLD: as of 19:04:56") && old.contains("□ WAS TROUBLE"),
        "{old}"
    );
    // The last answer stays, and a line says that it is the last.
    let mut app = app;
    app.update(TopEvent::Board(Err("http://x: connection refused".to_owned()), FRESH));
    let cut_off = text(&app, 20_000);
    assert!(
        cut_off.contains("No answer: http://x: connection refused") && cut_off.contains("gerrit"),
        "{cut_off}"
    );
    app.update(TopEvent::Board(Ok(Box::new(night())), FRESH));
    assert!(!text(&app, 0).contains("No answer"));
    // Of a history that has ended, and of a clock that stands, nothing ticks.
    let ended = BoardSnapshot {
        clock: SnapshotClock::Ended,
        now: UtcMs::new(NOW + 90 * 24 * HOUR_MS),
        ..night()
    };
    let ended = text(&showing(ended, (80, 24)), 500_000);
    assert!(ended.contains("as of 2018-06-06 19:04 UTC: 90 d old"), "{ended}");
    let stopped = BoardSnapshot {
        clock: SnapshotClock::Stopped,
        ..night()
    };
    let stopped = text(&showing(stopped, (80, 24)), 500_000);
    assert!(
        stopped.contains("as of 2018-06-06 19:04 UTC, clock stopped") && stopped.contains("▲ TROUBLE"),
        "{stopped}"
    );
    let nothing = text(&TopApp::new(LOOK, (80, 24)), 0);
    assert!(
        nothing.contains("UNKNOWN") && nothing.contains("waiting for the first answer"),
        "{nothing}"
    );
}

#[test]
fn frozen_rows_stay_until_they_are_let_go() {
    let mut app = showing(night(), (80, 24));
    press(&mut app, "f");
    let mut later = night();
    later.services[0].name = "another".to_owned();
    app.update(TopEvent::Board(Ok(Box::new(later)), FRESH));
    assert!(text(&app, 0).contains("FROZEN") && text(&app, 0).contains("gerrit"));
    press(&mut app, "f");
    assert!(!text(&app, 0).contains("FROZEN") && text(&app, 0).contains("another"));
}

/// The name on the row that is chosen.
fn chosen(app: &TopApp) -> String {
    let (rows, _) = app.rows(0);
    rows[app.chosen(&rows)].name.clone()
}

#[test]
fn a_search_goes_from_match_to_match() {
    let mut app = showing(night(), (80, 24));
    press(&mut app, "/r\n");
    assert_eq!(chosen(&app), "gerrit");
    let mut seen = Vec::new();
    for _ in 0..5 {
        press(&mut app, "n");
        seen.push(chosen(&app));
    }
    assert_eq!(seen, ["sentry", "phabricator", "cron", "gerrit", "sentry"]);
    press(&mut app, "N");
    assert_eq!(chosen(&app), "gerrit");
    press(&mut app, "/MAIL\n");
    assert_eq!(chosen(&app), "mailman");
    press(&mut app, "/xyz\n");
    assert!(text(&app, 0).contains("no match: xyz") && chosen(&app) == "mailman");
    // Keys are letters of the pattern while it is typed, and Esc gives it up.
    assert_eq!(press(&mut app, "/q"), None);
    assert!(text(&app, 0).contains("/q_"));
    press(&mut app, "\u{1b}");
    assert_eq!(chosen(&app), "mailman");
    assert_eq!(press(&mut app, "q"), Some(TopAction::Quit));
}

#[test]
fn the_row_that_is_chosen_stays_when_the_order_changes() {
    let mut app = showing(night(), (80, 24));
    press(&mut app, "jjj");
    assert_eq!(chosen(&app), "phabricator");
    let mut later = night();
    later.services.reverse();
    app.update(TopEvent::Board(Ok(Box::new(later)), FRESH));
    assert_eq!(chosen(&app), "phabricator");
    press(&mut app, "G");
    assert_eq!(chosen(&app), "gerrit");
    press(&mut app, "g");
    assert_eq!(chosen(&app), "cron");
    let names = |app: &TopApp| app.rows(0).0.into_iter().map(|row| row.name).collect::<Vec<_>>();
    press(&mut app, "sss");
    assert_eq!(
        names(&app),
        ["cron", "gerrit", "mailman", "phabricator", "sentry", "wiki"]
    );
    press(&mut app, "ra");
    assert_eq!(names(&app)[..3], ["wiki", "sentry", "phabricator"]);
    assert!(names(&app).contains(&"old_tool".to_owned()), "{:?}", names(&app));
    // It goes away: the one in its place is chosen.
    let mut fewer = night();
    fewer.services.truncate(1);
    app.update(TopEvent::Board(Ok(Box::new(fewer)), FRESH));
    assert_eq!(chosen(&app), "gerrit");
}

#[test]
fn pages_of_rows_are_turned_by_what_has_room() {
    let mut board = night();
    board.services = (0..200).map(|n| row(&format!("service{n:03}"), 10.0)).collect();
    let mut app = showing(board, (80, 24));
    let page_down = KeyEvent::new(KeyCode::PageDown, KeyModifiers::NONE);
    let page_up = KeyEvent::new(KeyCode::PageUp, KeyModifiers::NONE);
    app.update(TopEvent::Key(page_down));
    let first = chosen(&app);
    app.update(TopEvent::Key(page_down));
    app.update(TopEvent::Key(page_up));
    assert_eq!(chosen(&app), first);
    assert!(
        first.as_str() > "service005" && first.as_str() < "service020",
        "{first}"
    );
    press(&mut app, "G");
    assert!(text(&app, 0).contains("service199"));
    for _ in 0..40 {
        app.update(TopEvent::Key(page_down));
    }
    assert_eq!(chosen(&app), "service199");
}

/// Names that a log may have: control characters, a turn of the writing direction, wide letters, 64 KiB.
fn hostile() -> BoardSnapshot {
    let names = [
        "\u{1b}[2J\u{1b}]0;owned\u{7}\r\n".to_owned(),
        "\u{202e}gnp.exe\u{200b}\u{feff}".to_owned(),
        "日本語のとても長い名前".repeat(20),
        "a".repeat(64 << 10),
        format!("z{}", "\u{301}".repeat(30_000)),
    ];
    let mut board = night();
    for (row, name) in board.services.iter_mut().zip(&names) {
        row.name.clone_from(name);
    }
    board.verdict.sentence = format!("Mail of {} stopped.", names.join(", "));
    board.verdict.next = Some(names[0].clone());
    board.verdict.more = names.to_vec();
    board.lacks = vec![names[1].clone()];
    board.alarms[0].name.clone_from(&names[0]);
    board.alarms[0].members = names.to_vec();
    board.alarms[0].evidence = names.to_vec();
    board.providers[0].name.clone_from(&names[2]);
    board.providers[0].reason = Some(names[0].clone());
    board.queues[0].service.clone_from(&names[3]);
    board.queues[0].relay.clone_from(&names[0]);
    board.sources[0].host.clone_from(&names[1]);
    board
}

#[test]
fn hostile_names_steer_nothing_at_any_size() {
    for size in [(20, 5), (32, 8), (40, 12), (80, 24), (120, 40)] {
        let mut app = showing(hostile(), size);
        for keys in ["", "\t", "\t", "\t", "\t", "\t", "v", "q\te"] {
            press(&mut app, keys);
            let report = format!(
                "# {0}\n\n| service | impact |\n|---|---|\n| {0} | lost |\n",
                hostile().services[0].name
            );
            app.update(TopEvent::Report(ALARM.to_owned(), Ok(report)));
            let buffer = drawn(&app, 0);
            for cell in &buffer.content {
                let symbol = cell.symbol();
                assert!(!symbol.chars().any(deceives), "{size:?} {symbol:?}");
                assert!(symbol.chars().count() <= 4, "{size:?}: marks pile up: {symbol:?}");
            }
        }
    }
    let shown = text(&showing(hostile(), (120, 40)), 0);
    assert!(shown.contains("\\u{1b}[2J") && shown.contains("\\u{202e}"), "{shown}");
}

#[test]
fn without_colours_states_are_words_and_shapes_and_with_them_one_of_sixteen() {
    let colours = |app: &TopApp| {
        let mut found: Vec<Color> = drawn(app, 0)
            .content
            .iter()
            .flat_map(|cell| [cell.fg, cell.bg])
            .collect();
        found.retain(|colour| *colour != Color::Reset);
        found.sort_by_key(|colour| format!("{colour:?}"));
        found.dedup();
        found
    };
    let mut app = showing(night(), (80, 24));
    assert_eq!(colours(&app), [Color::Green, Color::Red]);
    let with = text(&app, 0);
    app.look.has_colours = false;
    assert_eq!(colours(&app), []);
    assert_eq!(text(&app, 0), with, "the same words and shapes");
    for word in ["▲ dropped", "▲ refused", "● ok", "─ dropped?"] {
        assert!(with.contains(word), "{word}: {with}");
    }
}

#[test]
fn a_terminal_of_ascii_gets_nothing_else() {
    let mut app = showing(hostile(), (80, 24));
    app.look.is_ascii = true;
    for keys in ["", "\t", "\t\t\t", "v"] {
        press(&mut app, keys);
        assert!(text(&app, 0).is_ascii(), "{}", text(&app, 0));
    }
    let mut app = showing(night(), (80, 24));
    app.look.is_ascii = true;
    assert!(
        text(&app, 0).contains("! dropped") && text(&app, 0).contains("o ok"),
        "{}",
        text(&app, 0)
    );
}

#[test]
fn as_text_all_boards_follow_one_another() {
    insta::assert_snapshot!("plain", plain(night(), LOOK, Some(100)).join("\n"));
}

#[test]
fn a_board_is_the_same_after_a_journey() {
    let board = night();
    let text = serde_json::to_string(&board).unwrap();
    assert!(text.contains("\"as_of\":\"2018-06-06T19:04:56Z\""), "{text}");
    assert_eq!(serde_json::from_str::<BoardSnapshot>(&text).unwrap(), board);
}
