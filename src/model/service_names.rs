//! Names of services that no configuration gives.

/// The bucket of what no rule names: counted and shown, never dropped. No service or hostgroup may take this name.
pub const UNATTRIBUTED: &str = "unattributed";

/// The service of mails with the null sender.
pub const BOUNCES: &str = "bounces";

/// The service of authenticated accounts, where their names are not to be stored.
pub(crate) const AUTHENTICATED: &str = "authenticated";

/// The service of mail from the outside. No service of ours may take this name.
pub const INBOUND: &str = "inbound";

/// Whether a derived name is one of those that every log may have: they take no place among the names of senders.
pub(crate) fn is_reserved(name: &str) -> bool {
    matches!(name, BOUNCES | AUTHENTICATED)
}
