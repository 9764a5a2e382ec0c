//! `host_from`: a path with `{host}` in it, such as `/srv/logs/{host}/mainlog*`, from which a log's host is read.

use glob::Pattern;

use super::checked::is_host_name;

const MARK: &str = "{host}";

/// A compiled template.
#[derive(Debug, Clone)]
pub(super) struct PathTemplate {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    /// `**`: any number of folders.
    Any,
    Glob(Pattern),
    /// The part with the mark: what stands before it and after it.
    Host(Pattern, Pattern),
}

impl PathTemplate {
    /// Compiles an absolute template. The error is what is wrong, and the cure.
    pub(super) fn compile(template: &str) -> Result<Self, (String, String)> {
        if template.matches(MARK).count() != 1 {
            let cure = "write it once in place of the host name: `/srv/logs/{host}/mainlog*`";
            return Err(("does not contain `{host}` exactly once".to_owned(), cure.to_owned()));
        }
        let parts = template
            .trim_start_matches('/')
            .split('/')
            .map(|part| match part.split_once(MARK) {
                _ if part == "**" => Ok(Part::Any),
                None => Ok(Part::Glob(glob(part)?)),
                Some((before, after)) => {
                    let wild = |c: char| "*?]".contains(c);
                    if before.ends_with(wild) || after.starts_with(|c: char| "*?[".contains(c)) {
                        let cure = "put a fixed character between them: `{host}.log*`".to_owned();
                        return Err((
                            "has a wildcard beside `{host}`, so that the end of the name is ambiguous".to_owned(),
                            cure,
                        ));
                    }
                    Ok(Part::Host(glob(before)?, glob(after)?))
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
fn fits<'p>(template: &[Part], path: &[&'p str]) -> Option<Option<&'p str>> {
    let Some((part, template)) = template.split_first() else {
        return path.is_empty().then_some(None);
    };
    if let Part::Any = part {
        return (0..=path.len()).find_map(|folders| fits(template, &path[folders..]));
    }
    let (name, path) = path.split_first()?;
    match part {
        Part::Any => None,
        Part::Glob(glob) => glob.matches(name).then(|| fits(template, path))?,
        Part::Host(before, after) => {
            let host = host_within(before, after, name)?;
            fits(template, path).map(|_| Some(host))
        }
    }
}

/// The shortest name that leaves a beginning and an end that fit: `{host}.log*` on `mx1.log.2.gz` is `mx1`.
fn host_within<'p>(before: &Pattern, after: &Pattern, name: &'p str) -> Option<&'p str> {
    let starts = name
        .char_indices()
        .map(|(at, _)| at)
        .filter(|&at| before.matches(&name[..at]));
    for start in starts {
        let ends = name[start..].char_indices().map(|(at, c)| start + at + c.len_utf8());
        let mut fitting = ends.filter(|&end| after.matches(&name[end..]) && is_host_name(&name[start..end]));
        if let Some(end) = fitting.next() {
            return Some(&name[start..end]);
        }
    }
    None
}

fn glob(text: &str) -> Result<Pattern, (String, String)> {
    Pattern::new(text).map_err(|error| {
        (
            format!("is not a glob: {}", error.msg),
            super::sources::GLOB_CURE.to_owned(),
        )
    })
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
