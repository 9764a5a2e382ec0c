//! The access token: read from a file that only its owner may read, compared in constant time, and guessed at only so often.

use anyhow::{Context as _, Result, bail};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// 128 bits: 32 hexadecimal digits, or 22 letters of base64, with the padding that `openssl` writes.
const LENGTH_MIN: usize = 24;
/// A token with fewer different characters was not made by chance.
const DIFFERENT_MIN: usize = 8;

/// A token, as its hash.
#[derive(Debug, Clone)]
pub(crate) struct Token(blake3::Hash);

impl Token {
    /// Reads a token.
    ///
    /// # Errors
    /// The file cannot be read, others can read it too, or what it holds is no token.
    pub(crate) fn load(path: &Path) -> Result<Token> {
        let name = path.display().to_string();
        let metadata = fs::metadata(path).with_context(|| format!("{name}: the access token"))?;
        if metadata.permissions().mode() & 0o077 != 0 {
            bail!("{name}: others can read the access token: chmod 600");
        }
        let text = fs::read_to_string(path).with_context(|| format!("{name}: the access token"))?;
        Token::of(text.trim()).with_context(|| name)
    }

    fn of(text: &str) -> Result<Token> {
        let mut different: Vec<u8> = text.bytes().collect();
        different.sort_unstable();
        different.dedup();
        if text.len() < LENGTH_MIN || different.len() < DIFFERENT_MIN || !text.bytes().all(|b| b.is_ascii_graphic()) {
            bail!(
                "no access token of 128 bits: at least {LENGTH_MIN} characters, as `openssl rand -hex 16` writes them"
            );
        }
        Ok(Token(blake3::hash(text.as_bytes())))
    }

    /// Whether an `Authorization` header has it: as Bearer, or as the password of HTTP Basic, whoever the user is.
    pub(crate) fn admits(&self, header: &str) -> bool {
        let Some((scheme, rest)) = header.split_once(' ') else {
            return false;
        };
        let given = match scheme.to_ascii_lowercase().as_str() {
            "bearer" => rest.trim().as_bytes().to_vec(),
            "basic" => {
                let decoded = BASE64_STANDARD.decode(rest.trim()).unwrap_or_default();
                let colon = decoded.iter().position(|byte| *byte == b':');
                colon.and_then(|at| decoded.get(at + 1..)).unwrap_or_default().to_vec()
            }
            _ => return false,
        };
        // Hashes are compared in constant time, and they say nothing of what was hashed.
        blake3::hash(&given) == self.0
    }
}

/// Failures after which a client has to wait.
const FAILURES_MAX: u32 = 10;
/// For so long.
const WINDOW: Duration = Duration::from_secs(60);
/// Clients that are remembered.
const CLIENTS_MAX: usize = 4_096;

/// Counts failed log-ins.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    clients: HashMap<IpAddr, (u32, Instant)>,
}

impl Throttle {
    /// Whether a client has to wait; for how long.
    pub(super) fn waits(&self, client: IpAddr, now: Instant) -> Option<Duration> {
        let (failures, since) = self.clients.get(&network(client))?;
        let left = WINDOW.checked_sub(now.saturating_duration_since(*since))?;
        (*failures >= FAILURES_MAX).then_some(left)
    }

    /// Notes a failure.
    pub(super) fn failed(&mut self, client: IpAddr, now: Instant) {
        let is_over = |since: &Instant| now.saturating_duration_since(*since) >= WINDOW;
        if self.clients.len() >= CLIENTS_MAX {
            self.clients.retain(|_, (_, since)| !is_over(since));
        }
        if self.clients.len() >= CLIENTS_MAX {
            // Whoever has so many addresses is not told apart: the oldest are forgotten.
            let oldest = self.clients.iter().min_by_key(|(_, (_, since))| *since);
            if let Some(oldest) = oldest.map(|(client, _)| *client) {
                self.clients.remove(&oldest);
            }
        }
        let entry = self.clients.entry(network(client)).or_insert((0, now));
        if is_over(&entry.1) {
            *entry = (0, now);
        }
        entry.0 += 1;
    }
}

/// Of an IPv6 address its network: one client has all of it.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_token_comes_as_bearer_or_as_the_password_of_any_user() {
        let token = Token::of(TOKEN).unwrap();
        // "anyone:0123…" in base64.
        let basic = "Basic YW55b25lOjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm";
        for good in [&format!("Bearer {TOKEN}"), &format!("bearer  {TOKEN}"), basic] {
            assert!(token.admits(good), "{good}");
        }
        let short = TOKEN.get(1..).unwrap();
        for bad in [
            "",
            "Bearer",
            "Bearer ",
            TOKEN,
            &format!("Bearer {short}"),
            &format!("Basic {TOKEN}"),
            "Basic ::",
            "Digest x",
        ] {
            assert!(!token.admits(bad), "{bad}");
        }
    }

    #[test]
    fn a_token_has_128_bits_and_is_its_owners() {
        for weak in [
            "",
            "secret",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "0123456789abcdef 0123456789abcdef",
        ] {
            assert!(Token::of(weak).is_err(), "{weak}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, format!("{TOKEN}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Token::load(&path).unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(Token::load(&path).unwrap().admits(&format!("Bearer {TOKEN}")));
    }

    #[test]
    fn who_guesses_waits_and_others_do_not() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        let (guesser, other): (IpAddr, IpAddr) = ("2001:db8::1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        for _ in 0..FAILURES_MAX {
            assert_eq!(throttle.waits(guesser, now), None);
            throttle.failed(guesser, now);
        }
        let neighbour: IpAddr = "2001:db8::ffff".parse().unwrap();
        assert_eq!(throttle.waits(neighbour, now), Some(WINDOW), "the same network");
        assert_eq!(throttle.waits(other, now), None);
        assert_eq!(throttle.waits(guesser, now + WINDOW + Duration::from_secs(1)), None);
        for n in 0..2 * CLIENTS_MAX as u32 {
            throttle.failed(IpAddr::V4(std::net::Ipv4Addr::from(n)), now);
        }
        assert!(throttle.clients.len() <= CLIENTS_MAX);
    }
}
