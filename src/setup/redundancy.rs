//! Do services have as many relays as the configuration wants?

use crate::analysis::routes::Route;
use crate::config::Redundancy;
use crate::model::service_names::UNATTRIBUTED;
use crate::model::time::DAY_MS;

/// A week, so that rare services are in it.
pub(crate) const WEEK_MS: i64 = 7 * DAY_MS;

/// Services with fewer relays than they should have, in words. One whose mail did not reach the outside has no verdict,
/// and what no rule names is no service.
pub(crate) fn short(routes: &[Route], redundancy: &Redundancy) -> Vec<String> {
    let mut said = Vec::new();
    for route in routes
        .iter()
        .filter(|route| !route.last_hops.is_empty() && route.service != UNATTRIBUTED)
    {
        let wanted = redundancy.of_service(&route.service);
        if route.last_hops.len() >= wanted.relays_min as usize {
            continue;
        }
        let hops: Vec<&str> = route.last_hops.iter().map(|(relay, _)| relay.as_str()).collect();
        let place = wanted
            .place
            .as_ref()
            .map(|place| format!(" ({place})"))
            .unwrap_or_default();
        said.push(format!(
            "{} should have {} relays{place} and has {}: {}",
            route.service,
            wanted.relays_min,
            hops.len(),
            hops.join(", ")
        ));
    }
    said
}
