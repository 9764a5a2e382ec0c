//! Links: made of the base path alone, never of what a request says of its host. Names stand in the query, encoded, so that no
//! name can leave its page.

use crate::config::BasePath;
use crate::model::url::encoded;
use std::fmt::Write as _;

/// Makes the links of all pages.
#[derive(Debug, Clone, Default)]
pub struct Links {
    base: BasePath,
}

impl Links {
    /// Links below a path.
    pub fn new(base: BasePath) -> Links {
        Links { base }
    }

    /// The path that all links begin with, without a slash at its end.
    pub fn base(&self) -> &str {
        self.base.as_str()
    }

    /// A page of ours: `to("service", &[("name", "gerrit")])`. Parameters without a value are left out.
    pub fn to(&self, page: &str, parameters: &[(&str, &str)]) -> String {
        let mut link = format!("{}/{page}", self.base.as_str());
        let mut before = '?';
        for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
            let _ = write!(link, "{before}{name}={}", encoded(value));
            before = '&';
        }
        link
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_link() {
        let links = Links::new(BasePath::parse("/mail/pulse/").unwrap());
        assert_eq!(links.to("", &[]), "/mail/pulse/");
        let hostile = "../x?y=1&z#\"><script>\u{202e}é%\r\n";
        assert_eq!(
            links.to("service", &[("name", hostile), ("from", "")]),
            "/mail/pulse/service?name=../x%3Fy%3D1%26z%23%22%3E%3Cscript%3E%E2%80%AE%C3%A9%25%0D%0A"
        );
    }
}
