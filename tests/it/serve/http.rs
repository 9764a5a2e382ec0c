//! A server under test, and a client that says exactly what it is told to.

use crate::util::{KEEP_ALONE, Place};
use mailpulse::simulate::{Outage2018, outage_2018};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

/// The night of the outage, with the week before it and a tenth of the mail.
pub(crate) fn night() -> &'static Place {
    static NIGHT: LazyLock<Place> = LazyLock::new(|| {
        let place = Place::new();
        let spec = Outage2018 {
            seed: 20_180_606,
            history_days: 8,
            mails_per_day_scale: 0.2,
        };
        outage_2018(&place.path("logs"), &spec).expect("logs");
        let config = std::fs::read_to_string(place.path("logs/mailpulse.toml")).expect("its configuration");
        let config = config.replace("paths = [\"", "paths = [\"logs/");
        place.write("mailpulse.toml", format!("{KEEP_ALONE}{config}"));
        place.run(&["backfill"]).ends(0);
        place
    });
    &NIGHT
}

/// A server, ended with its test.
pub(crate) struct Served {
    pub child: Child,
    pub port: u16,
    pub base: String,
    _talk: BufReader<ChildStderr>,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    /// `serve` on a free port, with more arguments.
    pub(crate) fn start(place: &Place, args: &[&str]) -> Served {
        Served::by(place.command(), args)
    }

    /// The same by a program with its configuration.
    pub(crate) fn by(mut command: Command, args: &[&str]) -> Served {
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(args)
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut talk = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut said = String::new();
        while !said.contains("pages: ") {
            assert!(talk.read_line(&mut said).expect("UTF-8") > 0, "it ended: {said}");
        }
        let url = said.split("pages: http://127.0.0.1:").nth(1).expect("a URL").trim();
        let (port, base) = url.split_once('/').expect("a path");
        Served {
            child,
            port: port.parse().expect("a port"),
            base: format!("/{base}"),
            _talk: talk,
        }
    }

    /// A GET with these headers beside `Host`, unless they have one.
    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.ask("GET", path, headers)
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.get_with(path, &[])
    }

    /// A page, which must be there.
    #[track_caller]
    pub(crate) fn page(&self, path: &str) -> String {
        let reply = self.settled(path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        reply.body
    }

    /// An answer as a browser gets it, which comes again when it is told to.
    pub(crate) fn settled(&self, path: &str) -> Reply {
        let is_late = |reply: &Reply| reply.status == 503 && reply.body.contains("still being computed");
        let mut replies = (0..10).map(|_| self.get(path));
        replies.find(|reply| !is_late(reply)).expect("an answer in minutes")
    }

    /// Sends a request, and reads all of the answer.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request.push_str(&format!("Host: 127.0.0.1:{}\r\n", self.port));
        }
        for (name, value) in headers.iter().filter(|(_, value)| *value != "-") {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut stream = self.connect();
        stream.write_all(format!("{request}\r\n").as_bytes()).expect("sent");
        Reply::read(stream)
    }

    /// Whether a stream more is refused.
    pub(crate) fn streams_refused(&self) -> bool {
        let mut stream = self.connect();
        stream
            .write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .expect("sent");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).expect("a line");
        !line.contains("200")
    }

    /// A connection that waits a minute at most.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .expect("a timeout");
        stream
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    fn read(mut stream: TcpStream) -> Reply {
        let mut bytes = Vec::new();
        // A server that refuses may close before it has read all.
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8(bytes).expect("UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or("0");
        let headers = lines.filter_map(|line| line.split_once(": "));
        Reply {
            status: status.parse().expect("a status"),
            headers: headers
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    /// A header's value; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(own, _)| own == name)
            .map_or("", |(_, value)| value)
    }
}
