//! One text pattern: a literal or a glob.
//!
//! Globs are those of the crate `globset` (`*`, `?`, `[a-z]`, `[!0-9]`, `{a,b}`, `\` before a special character), and
//! `*` crosses dots, so `*.wmnet` names every host below. The literal text before the first and after the last special
//! character is kept apart: it rejects nearly everything before a regular expression has to run, and for the commonest
//! shape, one `*` in literal text, it is the whole test.

use globset::{Candidate, GlobBuilder, GlobMatcher};

use super::facts::lower;

const SPECIAL: &[char] = &['*', '?', '[', '{', '\\'];

/// A compiled pattern; it sees text in lower case only.
#[derive(Debug, Clone)]
pub(in crate::normalise) struct Pattern {
    /// As the user wrote it.
    written: Box<str>,
    shape: PatternShape,
}

#[derive(Debug, Clone)]
enum PatternShape {
    Literal(Box<[u8]>),
    Glob {
        prefix: Box<[u8]>,
        suffix: Box<[u8]>,
        /// `None` where prefix and suffix decide.
        whole: Option<Box<GlobMatcher>>,
    },
}

impl Pattern {
    /// Compiles a pattern; the error says what is wrong with the glob.
    pub(in crate::normalise) fn compile(written: &str) -> Result<Self, String> {
        let text = written.to_ascii_lowercase();
        let shape = match text.find(SPECIAL).and_then(|first| text.split_at_checked(first)) {
            None => PatternShape::Literal(text.into_bytes().into()),
            Some((prefix, rest)) => {
                // An escape can make any later character literal: no suffix is the safe reading.
                let escaped = text.contains('\\');
                let (_, suffix) = rest
                    .rsplit_once(['*', '?', ']', '}'])
                    .filter(|_| !escaped)
                    .unwrap_or_default();
                let plain = !escaped && rest.strip_suffix(suffix) == Some("*");
                let whole = if plain { None } else { Some(Box::new(matcher(&text)?)) };
                PatternShape::Glob {
                    prefix: prefix.as_bytes().into(),
                    suffix: suffix.as_bytes().into(),
                    whole,
                }
            }
        };
        Ok(Self {
            written: written.into(),
            shape,
        })
    }

    /// As the user wrote it.
    pub(in crate::normalise) fn written(&self) -> &str {
        &self.written
    }

    /// The one text that matches, if the pattern is not a glob.
    pub(in crate::normalise) fn literal(&self) -> Option<&[u8]> {
        match &self.shape {
            PatternShape::Literal(text) => Some(text),
            PatternShape::Glob { .. } => None,
        }
    }

    /// The text that every match begins and ends with.
    pub(in crate::normalise) fn ends(&self) -> (&[u8], &[u8]) {
        match &self.shape {
            PatternShape::Literal(text) => (text, b""),
            PatternShape::Glob { prefix, suffix, .. } => (prefix, suffix),
        }
    }

    /// Whether text in lower case matches.
    pub(in crate::normalise) fn matches(&self, text: &[u8]) -> bool {
        match &self.shape {
            PatternShape::Literal(literal) => **literal == *text,
            PatternShape::Glob { prefix, suffix, whole } => {
                text.len() >= prefix.len() + suffix.len()
                    && text.starts_with(prefix)
                    && text.ends_with(suffix)
                    && whole
                        .as_ref()
                        .is_none_or(|glob| glob.is_match_candidate(&Candidate::from_bytes(text)))
            }
        }
    }

    /// The same for text of any case; for callers off the hot path.
    pub(in crate::normalise) fn matches_any_case(&self, text: &[u8]) -> bool {
        self.matches(&lower(text))
    }
}

/// `*` crosses `/` too: addresses and host names are no paths.
fn matcher(text: &str) -> Result<GlobMatcher, String> {
    let glob = GlobBuilder::new(text)
        .literal_separator(false)
        .backslash_escape(true)
        .build();
    glob.map(|glob| glob.compile_matcher())
        .map_err(|error| error.kind().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::compile(pattern).unwrap().matches_any_case(text.as_bytes())
    }

    #[test]
    fn literals_and_globs() {
        for (pattern, text, expected) in [
            ("Gerrit@Wikimedia.org", "gerrit@wikimedia.ORG", true),
            ("gerrit", "gerrit2", false),
            ("gerrit*.wikimedia.org", "gerrit1001.eqiad.wikimedia.org", true),
            ("ab*ba", "aba", false),
            ("ab*ba", "abba", true),
            ("*", "", true),
            ("phab[0-9]*.*.wmnet", "phab1001.eqiad.wmnet", true),
            ("phab[0-9]*.*.wmnet", "phabx.eqiad.wmnet", false),
            ("phab[!0-9]", "PHABX", true),
            ("{mw,wtp}1*", "wtp1001", true),
            ("{mw,wtp}1*", "mx1001", false),
            ("mw?", "mw", false),
            (r"a\*b*", "a*bc", true),
            (r"a\*b*", "axbc", false),
            ("wiki-*@x.org", "wiki-a/b@x.org", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
        assert!(Pattern::compile("a*").unwrap().matches(b"a\xff\n"));
    }

    #[test]
    fn says_what_is_wrong_with_a_glob() {
        assert!(Pattern::compile("phab[0-9").unwrap_err().contains("unclosed"));
        assert!(Pattern::compile("{a,b").is_err());
    }
}
