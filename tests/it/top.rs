//! `top`: the same board on a terminal, as text, as JSON, and from a `serve` elsewhere; and the terminal afterwards.

use crate::lab;
use crate::serve::{Served, night};
use crate::util::{PROGRAM, Place, Run};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Ten minutes after the relay's stop.
const AT: &str = "2018-06-06T19:05Z";
const TOKEN: &str = "a-token-that-is-long-enough-for-everybody-0123456789";

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.out).unwrap_or_else(|why| panic!("{why}: {}", run.out))
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn the_board_as_text_and_as_json_is_that_of_the_pages() {
    let place = night();
    let text = place.run(&["top", "--once", "--at", AT]).ends(1);
    for words in [
        "TROUBLE",
        "mx1001",
        "Next: Look at the MTA",
        "Services",
        "Relays",
        "Providers",
        "Backlog",
        "Alarms",
    ] {
        assert!(text.out.contains(words), "{words}: {}", text.out);
    }
    let own = json(&place.run(&["top", "--format", "json", "--at", AT]).ends(1));
    let served = Served::start(place, &["--at", AT]);
    let get = |path: &str| serde_json::from_str::<Value>(&served.settled(path).body).expect("JSON");
    assert_eq!(own, get("/api/v1/board"), "one clock, one board");
    let now = get("/api/v1/now");
    for key in [
        "standing", "sentence", "more", "next", "affected", "relay", "since", "missing",
    ] {
        assert_eq!(own["verdict"][key], now[key], "{key}");
    }
    for board in ["services", "relays"] {
        let rows = get(&format!("/api/v1/{board}"));
        assert!(!own[board].as_array().unwrap().is_empty());
        for key in [
            "name",
            "state",
            "alarm",
            "last",
            "hour",
            "expected_low",
            "expected_high",
        ] {
            let of = |rows: &Value| {
                rows.as_array()
                    .unwrap()
                    .iter()
                    .map(|row| row[key].clone())
                    .collect::<Vec<_>>()
            };
            assert_eq!(of(&own[board]), of(&rows), "{board} {key}");
        }
    }
    // What waits is what `queue` says.
    let queue = json(&place.run(&["queue", "--at", AT, "--format", "json"]).ends(0));
    assert_eq!(own["backlog"]["messages"], queue["total"]["messages"]);
    assert!(own["backlog"]["messages"].as_u64().unwrap() > 0, "{}", own["backlog"]);
}

#[test]
#[ignore = "slow: tests/run runs it"]
fn the_board_of_a_serve_elsewhere_needs_its_token_and_shows_it_to_nobody() {
    let place = Place::copy_of(night());
    let config = fs::read_to_string(place.path("mailpulse.toml")).unwrap();
    place.write(
        "mailpulse.toml",
        format!("{config}\n[serve]\nauth = \"token\"\ntoken_file = \"token\"\n"),
    );
    let token = place.write("token", TOKEN);
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let served = Served::start(&place, &["--at", AT]);
    let url = format!("http://127.0.0.1:{}/", served.port);
    // Elsewhere there is no configuration and no store.
    let elsewhere = Place::new();
    let top = |more: &[&str], variable: &str| {
        let mut command = elsewhere.command();
        command.args(["top", "--format", "json", "--url", &url]).args(more);
        Run::of(command.env("MAILPULSE_TOKEN", variable).output().unwrap())
    };
    let own = json(&place.run(&["top", "--format", "json", "--at", AT]).ends(1));
    assert_eq!(json(&top(&["--token-file", token.to_str().unwrap()], "").ends(1)), own);
    assert_eq!(json(&top(&[], TOKEN).ends(1)), own);
    let refused = top(&[], "wrong-token-of-somebody").ends(2);
    assert!(
        refused.err.contains("401") && refused.err.contains("--token-file"),
        "{}",
        refused.err
    );
    assert!(!refused.err.contains("wrong-token"), "{}", refused.err);
    top(&["--at", AT], TOKEN).ends(2);
    drop(served);
    top(&[], TOKEN).ends(2).says(&["127.0.0.1"]);
}

#[test]
fn without_a_terminal_top_says_what_to_ask_instead() {
    let run = night().run(&["top"]).ends(2);
    assert!(
        run.err.contains("needs a terminal") && run.err.contains("--once"),
        "{}",
        run.err
    );
    assert_eq!(run.out, "");
    let run = night().run(&["--store", "nowhere", "top", "--once"]).ends(2);
    assert!(run.err.contains("nowhere"), "{}", run.err);
}

/// A shell in a terminal of its own, ended with its test.
struct Tmux {
    socket: String,
}

impl Tmux {
    fn start(size: (u16, u16)) -> Tmux {
        static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let tmux = Tmux {
            socket: format!("mailpulse-{}-{number}", std::process::id()),
        };
        let (columns, lines) = (size.0.to_string(), size.1.to_string());
        lab::program("tmux");
        tmux.run(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &lines,
            "env RUST_BACKTRACE=0 PS1='$ ' LC_ALL=C.UTF-8 bash --norc",
        ]);
        tmux
    }

    fn run(&self, args: &[&str]) -> String {
        let output = lab::program("tmux")
            .args(["-L", &self.socket])
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn keys(&self, keys: &[&str]) {
        self.run(&[&["send-keys"], keys].concat());
    }

    fn screen(&self) -> String {
        self.run(&["capture-pane", "-p"])
    }

    /// Waits for words on the screen.
    #[track_caller]
    fn until(&self, words: &str) -> String {
        let begin = Instant::now();
        loop {
            let screen = self.screen();
            if screen.contains(words) {
                return screen;
            }
            assert!(begin.elapsed() < Duration::from_secs(300), "no {words:?} on:\n{screen}");
            sleep(Duration::from_millis(100));
        }
    }

    /// Starts `top`, and waits until it has the terminal.
    fn start_top(&self, place: &Place) {
        let config = place.path("mailpulse.toml");
        let command = format!("{PROGRAM} --config {} top --at {AT}", config.display());
        self.keys(&[&command, "Enter"]);
        self.until("? help");
    }

    fn state(&self) -> String {
        self.run(&[
            "display-message",
            "-p",
            "#{alternate_on} #{cursor_flag} #{mouse_any_flag}",
        ])
        .trim()
        .to_owned()
    }

    /// The process of `top`.
    fn pid(&self) -> String {
        let shell = self.run(&["display-message", "-p", "#{pane_pid}"]);
        let children = format!("/proc/{0}/task/{0}/children", shell.trim());
        fs::read_to_string(children).unwrap().trim().to_owned()
    }

    /// The terminal is as it was: the shell reads lines, echoes them, and shows its cursor.
    #[track_caller]
    fn is_restored(&self) {
        // Keys that come too soon are the program's.
        let begin = Instant::now();
        while self.state() != "0 1 0" && begin.elapsed() < Duration::from_secs(20) {
            sleep(Duration::from_millis(100));
        }
        sleep(Duration::from_millis(500));
        // The command itself is on the screen, too: its last word is written apart.
        let look = "stty -a | tr -d ';' | grep -ow -e '-*icanon' -e '-*echo' -e '-*isig' | tr '\\n' ' '; echo en''d";
        self.keys(&[look, "Enter"]);
        let screen = self.until("isig icanon echo end");
        assert_eq!(self.state(), "0 1 0", "{screen}");
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = lab::program("tmux").args(["-L", &self.socket, "kill-server"]).output();
    }
}

#[test]
#[ignore = "lab: needs tmux"]
fn keys_lead_through_the_boards_and_the_terminal_is_given_back() {
    let tmux = Tmux::start((120, 40));
    tmux.start_top(night());
    let first = tmux.until("24 hours");
    assert!(
        first.contains("TROUBLE") && first.contains("clock stopped") && first.contains("phabricator"),
        "{first}"
    );
    assert_eq!(tmux.state(), "1 0 0", "the mouse stays the terminal's");
    tmux.keys(&["Tab"]);
    tmux.until("mx2001");
    tmux.keys(&["BTab", "/", "m", "a", "i", "l", "m", "Enter", "e"]);
    tmux.until("Services: mailman");
    tmux.keys(&["q", "g", "Enter"]);
    let page = tmux.until("Timeline (UTC)");
    assert!(page.contains("took no mail"), "{page}");
    tmux.keys(&["q", "?"]);
    tmux.until("next or previous board");
    tmux.keys(&["Escape"]);
    tmux.until("24 hours");
    tmux.run(&["resize-window", "-x", "20", "-y", "5"]);
    tmux.until("too small");
    tmux.run(&["resize-window", "-x", "120", "-y", "40"]);
    tmux.until("24 hours");
    tmux.keys(&["q"]);
    tmux.is_restored();
}

/// Waits for the end of a process.
#[track_caller]
fn ended(pid: &str) {
    let begin = Instant::now();
    while Path::new(&format!("/proc/{pid}")).exists() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{pid} goes on");
        sleep(Duration::from_millis(100));
    }
}

#[test]
#[ignore = "lab: needs tmux"]
fn signals_and_a_panic_leave_the_terminal_as_it_was() {
    let tmux = Tmux::start((100, 30));
    for name in ["TERM", "INT", "HUP"] {
        tmux.run(&["clear-history"]);
        tmux.start_top(night());
        let pid = tmux.pid();
        tmux.run(&["run-shell", &format!("kill -{name} {pid}")]);
        ended(&pid);
        tmux.is_restored();
        tmux.keys(&["clear", "Enter"]);
    }
    // Only programs that are built for tests have the key.
    tmux.start_top(night());
    let pid = tmux.pid();
    tmux.keys(&["C-p"]);
    ended(&pid);
    let screen = tmux.until("asked for by a key");
    assert!(screen.contains("panicked"), "{screen}");
    tmux.is_restored();
}

/// Starts a program on a terminal without a session, so that no signal tells it when the other end goes; prints how it ended.
const CUT: &str = r#"
import fcntl, os, pty, struct, subprocess, sys, termios, time
ours, theirs = pty.openpty()
fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
child = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, start_new_session=True)
os.close(theirs)
seen = b""
while b"24 hours" not in seen:
    seen += os.read(ours, 65536)
os.close(ours)
begin = time.monotonic()
code = child.wait(30)
print(code, time.monotonic() - begin < 5)
"#;

#[test]
#[ignore = "lab: needs python3"]
fn a_connection_that_is_cut_ends_it() {
    let place = night();
    let mut command = lab::program("python3");
    command
        .args(["-c", CUT, PROGRAM, "--config"])
        .arg(place.path("mailpulse.toml"));
    command
        .args(["top", "--at", AT])
        .env("COLUMNS", "120")
        .env("TERM", "xterm-256color");
    let run = Run::of(command.output().unwrap()).ends(0);
    let words: Vec<&str> = run.out.split_whitespace().collect();
    assert_eq!(words.last(), Some(&"True"), "{}", run.out);
}
