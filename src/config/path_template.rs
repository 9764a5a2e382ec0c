//! `host_from`: a path with `{host}` in it, such as `/srv/logs/{host}/mainlog*`, from which a log's host is read.

use glob::Pattern;

use super::names::is_host_name;
use super::path_glob::GLOB_HINT;

const MARK: &str = "{host}";

/// A compiled template.
#[derive(Debug, Clone)]
pub(super) struct PathTemplate {
    parts: Vec<TemplatePart>,
}

#[derive(Debug, Clone)]
enum TemplatePart {
    /// `**`: any number of folders.
    Any,
    Glob(Pattern),
    /// The part with the mark: what stands before it and after it.
    Host(Pattern, Pattern),
}

impl PathTemplate {
    /// Compiles an absolute template. The error is what is wrong, and the hint.
    pub(super) fn compile(template: &str) -> Result<Self, (String, String)> {
        if template.matches(MARK).count() != 1 {
            let hint = "write it once in place of the host name: `/srv/logs/{host}/mainlog*`";
            return Err(("does not contain `{host}` exactly once".to_owned(), hint.to_owned()));
        }
        let parts = template
            .trim_start_matches('/')
            .split('/')
            .map(|part| match part.split_once(MARK) {
                _ if part == "**" => Ok(TemplatePart::Any),
                None => Ok(TemplatePart::Glob(glob(part)?)),
                Some((before, after)) => {
                    let wild = |c: char| "*?]".contains(c);
                    if before.ends_with(wild) || after.starts_with(|c: char| "*?[".contains(c)) {
                        let hint = "put a fixed character between them: `{host}.log*`".to_owned();
                        return Err((
                            "has a wildcard beside `{host}`, so that the end of the name is ambiguous".to_owned(),
                            hint,
                        ));
                    }
                    Ok(TemplatePart::Host(glob(before)?, glob(after)?))
                }
            });
        Ok(Self {
            parts: parts.collect::<Result<_, _>>()?,
        })
    }

    /// The globs of the files that have a host: the template with `*` in place of the mark.
    pub(super) fn as_glob(template: &str) -> String {
        template.replacen(MARK, "*", 1)
    }

    /// The host in an absolute path, if the path fits and the name is one.
    pub(super) fn host<'p>(&self, path: &'p str) -> Option<&'p str> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        fits(&self.parts, &parts).flatten()
    }
}

/// `Some(host)` if the path fits; the host is known once the part with the mark has been passed.
fn fits<'p>(template: &[TemplatePart], path: &[&'p str]) -> Option<Option<&'p str>> {
    let Some((part, template)) = template.split_first() else {
        return path.is_empty().then_some(None);
    };
    if let TemplatePart::Any = part {
        return (0..=path.len()).find_map(|folders| fits(template, &path[folders..]));
    }
    let (name, path) = path.split_first()?;
    match part {
        TemplatePart::Any => None,
        TemplatePart::Glob(glob) => glob.matches(name).then(|| fits(template, path))?,
        TemplatePart::Host(before, after) => {
            let host = host_within(before, after, name)?;
            fits(template, path).map(|_| Some(host))
        }
    }
}

/// The shortest name that leaves a beginning and an end that fit: `{host}.log*` on `mx1.log.2.gz` is `mx1`.
fn host_within<'p>(before: &Pattern, after: &Pattern, name: &'p str) -> Option<&'p str> {
    let starts = name.char_indices().filter_map(|(at, _)| name.split_at_checked(at));
    for (_, rest) in starts.filter(|(start, _)| before.matches(start)) {
        let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8());
        let mut splits = ends.filter_map(|end| rest.split_at_checked(end));
        if let Some((host, _)) = splits.find(|(host, end)| after.matches(end) && is_host_name(host)) {
            return Some(host);
        }
    }
    None
}

fn glob(text: &str) -> Result<Pattern, (String, String)> {
    Pattern::new(text).map_err(|error| (format!("is not a glob: {}", error.msg), GLOB_HINT.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_host_from_the_path() {
        for (template, path, expected) in [
            (
                "/srv/logs/{host}/mainlog*",
                "/srv/logs/mx1001/mainlog.2.gz",
                Some("mx1001"),
            ),
            ("/srv/logs/{host}/mainlog*", "/srv/logs/mx1001/old/mainlog", None),
            ("/srv/logs/{host}/mainlog*", "/srv/logs/-bad/mainlog", None),
            ("/srv/logs/{host}/mainlog*", "/srv/logs/a\u{1b}b/mainlog", None),
            ("/srv/**/{host}/mainlog*", "/srv/a/b/mx1001/mainlog", Some("mx1001")),
            ("/srv/**/{host}/mainlog*", "/srv/mx1001/mainlog", Some("mx1001")),
            (
                "/l/mainlog-{host}.log*",
                "/l/mainlog-mx1.wikimedia.org.log.1.gz",
                Some("mx1.wikimedia.org"),
            ),
            ("/l/{host}.log*", "/l/mx1.log.2.gz", Some("mx1")),
            ("/l/[0-9]*-{host}", "/l/2018-mx1", Some("mx1")),
        ] {
            assert_eq!(
                PathTemplate::compile(template).unwrap().host(path),
                expected,
                "{template} on {path}"
            );
        }
    }

    #[test]
    fn refuses_what_is_ambiguous() {
        for template in [
            "/srv/logs/mainlog",
            "/{host}/{host}",
            "/l/*{host}",
            "/l/{host}*",
            "/l[/{host}",
        ] {
            assert!(PathTemplate::compile(template).is_err(), "{template}");
        }
    }
}
