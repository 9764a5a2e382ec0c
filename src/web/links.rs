//! Links: made of the base path alone, never of what a request says of its host. Names stand in the query, encoded, so that no
//! name can leave its page. The zone that a reader has chosen is kept in all of them.

use super::zone::PageZone;
use crate::config::BasePath;
use crate::model::url::encoded;
use std::fmt::Write as _;

/// The parameter that names the zone.
const ZONE: &str = "tz";

/// Makes the links of a page, and knows in which zone it writes times.
#[derive(Debug, Clone, Default)]
pub(super) struct Links {
    base: BasePath,
    zone: PageZone,
    /// A reader has chosen the zone.
    is_chosen: bool,
    /// What else the address of the page asks for.
    asked: Vec<(String, String)>,
}

impl Links {
    /// Links below a path, to pages in a zone.
    pub(super) fn new(base: BasePath, zone: PageZone) -> Links {
        Links {
            base,
            zone,
            ..Links::default()
        }
    }

    /// The links of a page whose address has these parameters.
    ///
    /// # Errors
    /// They name no zone.
    pub(super) fn of_page(&self, mut asked: Vec<(String, String)>) -> Result<Links, String> {
        let zone = asked.iter().find(|(name, _)| name == ZONE);
        let zone = zone.map(|(_, zone)| PageZone::named(zone)).transpose()?;
        asked.retain(|(name, _)| name != ZONE);
        Ok(Links {
            base: self.base.clone(),
            is_chosen: zone.is_some(),
            zone: zone.unwrap_or_else(|| self.zone.clone()),
            asked,
        })
    }

    /// The path that all links begin with, without a slash at its end.
    pub(super) fn base(&self) -> &str {
        self.base.as_str()
    }

    /// The zone in which times are written.
    pub(super) fn zone(&self) -> &PageZone {
        &self.zone
    }

    /// The zone, if the reader has chosen it: forms keep it.
    pub(super) fn chosen_zone(&self) -> Option<&str> {
        self.is_chosen.then_some(self.zone.name())
    }

    /// What the address of the page asks for beside the zone: the form that chooses a zone keeps it.
    pub(super) fn asked(&self) -> &[(String, String)] {
        &self.asked
    }

    /// A file or a stream of ours, which has no times.
    pub(super) fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.base.as_str())
    }

    /// A page of ours: `to("service", &[("name", "gerrit")])`. Parameters without a value are left out.
    pub(super) fn to(&self, page: &str, parameters: &[(&str, &str)]) -> String {
        let mut link = self.file(page);
        let mut before = '?';
        let zone = self.chosen_zone().map(|zone| (ZONE, zone));
        let all = parameters.iter().copied().chain(zone);
        for (name, value) in all.filter(|(_, value)| !value.is_empty()) {
            let _ = write!(link, "{before}{name}={}", encoded(value));
            before = '&';
        }
        link
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> Links {
        Links::new(BasePath::parse("/mail/pulse/").unwrap(), PageZone::default())
    }

    #[test]
    fn a_name_stays_in_its_link() {
        let links = links();
        assert_eq!(links.to("", &[]), "/mail/pulse/");
        let hostile = "../x?y=1&z#\"><script>\u{202e}é%\r\n";
        assert_eq!(
            links.to("service", &[("name", hostile), ("from", "")]),
            "/mail/pulse/service?name=../x%3Fy%3D1%26z%23%22%3E%3Cscript%3E%E2%80%AE%C3%A9%25%0D%0A"
        );
    }

    #[test]
    fn a_zone_that_was_chosen_is_kept() {
        let asked = |text: &str| vec![("tz".to_owned(), text.to_owned()), ("name".to_owned(), "x".to_owned())];
        let links = links().of_page(asked("Europe/Berlin")).unwrap();
        assert_eq!(links.to("", &[]), "/mail/pulse/?tz=Europe/Berlin");
        assert_eq!(links.to("a", &[("b", "c")]), "/mail/pulse/a?b=c&tz=Europe/Berlin");
        assert_eq!(links.file("static/style.css"), "/mail/pulse/static/style.css");
        assert_eq!(links.asked(), [("name".to_owned(), "x".to_owned())]);
        assert!(links.of_page(asked("Mars/Olympus")).is_err());
        let usual = links.of_page(Vec::new()).unwrap();
        assert_eq!(
            (usual.to("", &[]), usual.chosen_zone()),
            ("/mail/pulse/".to_owned(), None)
        );
    }
}
