//! The board of a `serve` elsewhere, by its JSON API. What it answers is text of a stranger.

use super::source::BoardSource;
use crate::analysis::overview::BoardSnapshot;
use anyhow::{Context as _, Result, anyhow, bail};
use mailpulse_parsers::harmless::safe_text;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;
use ureq::Agent;
use ureq::http::{Response, StatusCode, Uri};
use ureq::tls::{RootCerts, TlsConfig};

/// A server that has not answered by then is tried again at the next turn. It says itself after 20 s that an answer takes longer, and
/// a board is two answers.
const TIMEOUT: Duration = Duration::from_secs(60);
/// So often an answer that is still being computed is asked for.
const TRIES: usize = 6;
/// From try to try at least, and at most.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
/// Bytes of an answer: 2,000 rows of each board have a day of points.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
/// What is shown of a refusal.
const WORDS_MAX: usize = 200;
/// The variable that has the token.
pub(crate) const TOKEN_VARIABLE: &str = "MAILPULSE_TOKEN";

/// A `serve` elsewhere.
pub(crate) struct RemoteBoard {
    agent: Agent,
    /// The address of the overview, without the slash at its end.
    base: String,
    token: Option<String>,
}

impl RemoteBoard {
    /// A server by the address of its overview.
    ///
    /// # Errors
    /// It is no address, or has a password in it.
    pub(crate) fn new(url: &str, token: Option<String>) -> Result<RemoteBoard> {
        let shown = || safe_text(url.split('@').next_back().unwrap_or_default().as_bytes());
        let wrong = |why: &str| anyhow!("--url {}: {why}; write http://127.0.0.1:8425/", shown());
        let uri: Uri = url.parse().map_err(|_| wrong("this is no URL"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
            return Err(wrong("it begins neither with http:// nor with https://"));
        }
        if uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err(wrong(
                "passwords do not belong on a command line, which others can read: name a file by --token-file",
            ));
        }
        if uri.query().is_some() || url.contains('#') {
            return Err(wrong("it is the address of the overview, without a question"));
        }
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            // A token goes to whom it was meant for.
            .max_redirects(0)
            .http_status_as_error(false)
            .tls_config(tls)
            .build();
        Ok(RemoteBoard {
            agent: config.into(),
            base: url.trim_end_matches('/').to_owned(),
            token,
        })
    }

    /// Whether the token goes over a network that others can read.
    #[must_use]
    pub(crate) fn shows_token(&self) -> bool {
        let host = self.base.strip_prefix("http://").unwrap_or_default();
        let is_here = ["127.", "localhost", "[::1]"].iter().any(|here| host.starts_with(here));
        self.token.is_some() && !host.is_empty() && !is_here
    }

    /// An answer; one that is still being computed is asked for again.
    fn get(&self, path: &str) -> Result<String> {
        for _ in 1..TRIES {
            let answer = self.ask(path)?;
            if answer.status() != StatusCode::SERVICE_UNAVAILABLE {
                return self.read(answer);
            }
            let header = answer.headers().get("retry-after").and_then(|text| text.to_str().ok());
            let wait_s = header.and_then(|text| text.parse().ok()).unwrap_or(1);
            std::thread::sleep(Duration::from_secs(wait_s).clamp(WAIT.0, WAIT.1));
        }
        self.read(self.ask(path)?)
    }

    fn ask(&self, path: &str) -> Result<Response<ureq::Body>> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        request.call().map_err(|why| anyhow!("{}: {why}", self.base))
    }

    fn read(&self, answer: Response<ureq::Body>) -> Result<String> {
        let status = answer.status();
        let is_json = answer
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        let mut body = Vec::new();
        answer
            .into_body()
            .into_reader()
            .take(ANSWER_BYTES_MAX + 1)
            .read_to_end(&mut body)
            .with_context(|| self.base.clone())?;
        if body.len() as u64 > ANSWER_BYTES_MAX {
            bail!("{}: the answer is larger than {ANSWER_BYTES_MAX} bytes", self.base);
        }
        if status.is_success() {
            return String::from_utf8(body).with_context(|| format!("{}: the answer is no text", self.base));
        }
        let reason = if is_json { reason(&body) } else { None };
        let hint = match status.as_u16() {
            401 | 403 => format!("; the token comes from --token-file or {TOKEN_VARIABLE}"),
            404 => "; is this the address of a `mailpulse serve` of this version?".to_owned(),
            300..=399 => "; redirects are not followed: write the address that answers".to_owned(),
            _ => String::new(),
        };
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        bail!("{}: answered {status}{reason}{hint}", self.base)
    }
}

/// The reason of a refusal.
fn reason(body: &[u8]) -> Option<String> {
    let refused: Value = serde_json::from_slice(body).ok()?;
    let reason = refused["error"]["reason"].as_str()?;
    let words: String = reason.chars().take(WORDS_MAX).collect();
    Some(safe_text(words.as_bytes()))
}

impl BoardSource for RemoteBoard {
    fn board(&mut self) -> Result<BoardSnapshot> {
        let text = self.get("/api/v1/board")?;
        serde_json::from_str(&text).with_context(|| {
            format!(
                "{}: the answer is no board as this version knows it; does a `mailpulse serve` answer there?",
                self.base
            )
        })
    }

    fn incident(&mut self, alarm: &str) -> Result<String> {
        let alarm = utf8_percent_encode(alarm, NON_ALPHANUMERIC);
        self.get(&format!("/incident.md?alarm={alarm}"))
    }
}

/// The token: of a file, or else of the environment; never of the command line, which others can read.
///
/// # Errors
/// The file cannot be read, or has no token.
pub(crate) fn token(file: Option<&Path>, variable: Option<String>) -> Result<Option<String>> {
    let Some(path) = file else {
        return Ok(variable
            .map(|token| token.trim().to_owned())
            .filter(|token| !token.is_empty()));
    };
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let token = text.trim().to_owned();
    if token.is_empty() || token.contains(char::is_whitespace) {
        bail!("{}: a token is one word", path.display());
    }
    Ok(Some(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_of_a_serve_and_has_no_password() {
        for good in ["http://127.0.0.1:8425/", "https://mail.example.org/mailpulse"] {
            assert!(RemoteBoard::new(good, None).is_ok(), "{good}");
        }
        for (bad, words) in [
            ("ftp://x/", "neither"),
            ("mail.example.org:8425", "http"),
            ("http://", "http"),
            ("https://me:secret@example.org/", "passwords"),
            ("http://example.org/?token=secret", "without a question"),
        ] {
            let why = RemoteBoard::new(bad, None).err().map(|why| why.to_string());
            let why = why.unwrap_or_else(|| panic!("{bad} is taken"));
            assert!(why.contains(words) && !why.contains("me:secret"), "{bad}: {why}");
        }
    }

    #[test]
    fn a_token_over_a_network_without_tls_is_noticed() {
        let shows =
            |url: &str, token: Option<&str>| RemoteBoard::new(url, token.map(str::to_owned)).unwrap().shows_token();
        assert!(shows("http://example.org/", Some("x")));
        assert!(!shows("http://example.org/", None));
        assert!(!shows("https://example.org/", Some("x")));
        assert!(!shows("http://127.0.0.1:8425/", Some("x")) && !shows("http://[::1]:8425", Some("x")));
    }

    #[test]
    fn a_token_is_of_a_file_or_of_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "abc\n").unwrap();
        assert_eq!(
            token(Some(&file), Some("other".to_owned())).unwrap().as_deref(),
            Some("abc")
        );
        assert_eq!(token(None, Some(" abc ".to_owned())).unwrap().as_deref(), Some("abc"));
        assert_eq!(token(None, Some(String::new())).unwrap(), None);
        std::fs::write(&file, "two words\n").unwrap();
        assert!(token(Some(&file), None).is_err());
        assert!(token(Some(Path::new("/nonexistent")), None).is_err());
    }
}
