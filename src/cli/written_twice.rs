//! What lines that came twice mean, for all who count them.

/// What lines that were written twice mean, and what to do.
pub(super) const WRITTEN_TWICE: &str = "written twice: a line came again, in the same file or in another one of this source. Each \
     mail counts once. Usual causes: two rules of rsyslog for one file (end the first with `stop`), rules that write mail \
     into two files (leave one of them out of `paths`), or a program that rewrites its log (nothing to do)";
