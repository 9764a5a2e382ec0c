//! A server that takes notices on a port of its own, and writes each as a line of JSON with the time it came.

use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Result, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// It ends with the test.
pub(crate) struct Hook {
    port: u16,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // It waits for somebody to come.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A server that writes what is posted to this file; and its port.
pub(crate) fn hook(out: &Path) -> (Hook, u16) {
    answering(out, |_| (200, String::new()))
}

/// The same, with an answer to what is posted: a status, and a body.
pub(crate) fn answering(out: &Path, answer: fn(&Value) -> (u16, String)) -> (Hook, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let ends = Arc::new(AtomicBool::new(false));
    let (has_ended, out) = (Arc::clone(&ends), PathBuf::from(out));
    let thread = std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            if has_ended.load(Ordering::Relaxed) {
                return;
            }
            // Who says nothing, or hangs up, has posted nothing.
            let _ = take(&stream, &out, answer);
        }
    });
    let thread = Some(thread);
    (Hook { port, ends, thread }, port)
}

fn take(mut stream: &TcpStream, out: &Path, answer: fn(&Value) -> (u16, String)) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut length, mut signature) = (0, None);
    let mut headers = serde_json::Map::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.into());
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().expect("a length"),
            "x-mailpulse-signature" => signature = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8(body).expect("UTF-8");
    let at = crate::util::now_ms() as f64 / 1_000.0;
    let post = json!({ "at": at, "path": path, "body": body, "signature": signature, "headers": headers });
    let mut file = File::options().create(true).append(true).open(out)?;
    file.write_all(format!("{post}\n").as_bytes())?;
    let (status, said) = answer(&post);
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        said.len()
    );
    stream.write_all(format!("{head}{said}").as_bytes())
}

/// What was posted.
pub(crate) fn posted(out: &Path) -> Vec<Value> {
    let text = fs::read_to_string(out).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
