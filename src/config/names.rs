//! What names of services, groups and hosts are made of.

/// What a name is made of.
pub(crate) const NAME_HINT: &str =
    "use at most 64 letters, digits, `-`, `_`, and dots, and start with a letter or a digit";

/// Names that are safe in a terminal, a page, a query, a file name and a label.
#[must_use]
pub(crate) fn is_name(name: &str) -> bool {
    safe(name) && name.len() <= 64
}

/// The same for hosts, which may be longer.
pub(super) fn is_host_name(name: &str) -> bool {
    safe(name) && name.len() <= 253 && !name.contains("..") && name.ends_with(|c: char| c.is_ascii_alphanumeric())
}

fn safe(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}
