//! Whose mail it is, and whether a copy stays: what tells outbound mail from all other mail.

/// Whose a message is: known at its arrival, before its recipients are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum MailOrigin {
    /// The arrival has not been read. Default views count such mail as ours.
    #[default]
    Unknown,
    /// Handed in locally, authenticated, or by a client of ours.
    Ours,
    /// The world's.
    Outside,
}

impl MailOrigin {
    /// All, in the order of their codes.
    pub const ALL: [MailOrigin; 3] = [MailOrigin::Unknown, MailOrigin::Ours, MailOrigin::Outside];

    /// The name in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            MailOrigin::Unknown => "",
            MailOrigin::Ours => "ours",
            MailOrigin::Outside => "outside",
        }
    }

    /// The origin with this name; any other is unknown.
    pub fn named(name: &str) -> MailOrigin {
        let found = MailOrigin::ALL.into_iter().find(|origin| origin.as_str() == name);
        found.unwrap_or_default()
    }
}

/// Where one recipient's copy goes, as seen from the host that delivers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Reach {
    /// It stays with us.
    Inside,
    /// It leaves us.
    Away,
    /// A host of ours has it whose log is not read, or no host, and the recipient's domain does not tell either: mail of
    /// ours leaves from there, and mail of the world stays.
    Onward,
    /// The same, and the recipient's domain is none of ours: it leaves from there.
    Beyond,
}

impl Reach {
    /// All, in the order of their codes.
    pub const ALL: [Reach; 4] = [Reach::Inside, Reach::Away, Reach::Onward, Reach::Beyond];
}

/// The direction of one recipient's copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Direction {
    /// From us to the outside.
    Outbound,
    /// From the outside to us.
    Inbound,
    /// From us to us.
    Internal,
    /// From the outside to the outside: forwarding, lists, a backup MX.
    Transit,
}

impl Direction {
    /// All, in the order of their codes.
    pub const ALL: [Direction; 4] = [
        Direction::Outbound,
        Direction::Inbound,
        Direction::Internal,
        Direction::Transit,
    ];

    /// The name in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Outbound => "outbound",
            Direction::Inbound => "inbound",
            Direction::Internal => "internal",
            Direction::Transit => "transit",
        }
    }

    /// The direction with this name.
    pub fn named(name: &str) -> Option<Direction> {
        Direction::ALL.into_iter().find(|direction| direction.as_str() == name)
    }

    /// The direction of a copy; none where nothing tells it. Mail of unknown origin is taken for ours.
    #[inline]
    pub fn of(origin: MailOrigin, reach: Reach) -> Option<Direction> {
        match (origin, reach) {
            (MailOrigin::Unknown, Reach::Onward) => None,
            (MailOrigin::Outside, Reach::Away | Reach::Beyond) => Some(Direction::Transit),
            (MailOrigin::Outside, Reach::Inside | Reach::Onward) => Some(Direction::Inbound),
            (_, Reach::Away | Reach::Beyond | Reach::Onward) => Some(Direction::Outbound),
            (_, Reach::Inside) => Some(Direction::Internal),
        }
    }

    /// Whether the copy leaves us.
    pub(crate) fn is_away(self) -> bool {
        matches!(self, Direction::Outbound | Direction::Transit)
    }

    /// The direction after the message's origin became known. What left us still did. An unknown direction is of a copy
    /// that is [`Reach::Onward`].
    pub fn corrected(known: Option<Direction>, origin: MailOrigin) -> Option<Direction> {
        let reach = match known {
            Some(known) if known.is_away() => Reach::Away,
            Some(_) => Reach::Inside,
            None => Reach::Onward,
        };
        match origin {
            MailOrigin::Unknown => known,
            origin => Direction::of(origin, reach),
        }
    }

    /// The direction after the next hop has proved to be a host of ours whose log is read.
    pub(crate) fn kept_inside(self) -> Direction {
        match self {
            Direction::Outbound => Direction::Internal,
            Direction::Transit => Direction::Inbound,
            inside => inside,
        }
    }
}

/// Which mail a view shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub enum DirectionView {
    /// Ours that leaves. What is about no recipient counts by its origin: ours, or unknown.
    #[default]
    Outbound,
    /// The world's that stays.
    Inbound,
    /// Ours that stays.
    Internal,
    /// The world's that leaves again.
    Transit,
    /// All mail.
    All,
}

impl DirectionView {
    /// All views.
    pub const ALL: [DirectionView; 5] = [
        DirectionView::Outbound,
        DirectionView::Inbound,
        DirectionView::Internal,
        DirectionView::Transit,
        DirectionView::All,
    ];

    /// The name as arguments have it.
    pub fn as_str(self) -> &'static str {
        self.direction().map_or("all", Direction::as_str)
    }

    /// The view with this name.
    ///
    /// # Errors
    /// There is none: the names that there are.
    pub fn parse(name: &str) -> Result<DirectionView, String> {
        let found = DirectionView::ALL.into_iter().find(|view| view.as_str() == name);
        found.ok_or_else(|| {
            let all = DirectionView::ALL.map(DirectionView::as_str).join(", ");
            format!("`{}` is not a direction; use one of {all}", name.escape_debug())
        })
    }

    /// The direction of recipients' rows; none for all.
    pub fn direction(self) -> Option<Direction> {
        match self {
            DirectionView::Outbound => Some(Direction::Outbound),
            DirectionView::Inbound => Some(Direction::Inbound),
            DirectionView::Internal => Some(Direction::Internal),
            DirectionView::Transit => Some(Direction::Transit),
            DirectionView::All => None,
        }
    }

    /// Whether the view has a row with these values of `origin` and `direction`. Rows of older versions have neither, and
    /// count as ours.
    pub fn has(self, origin: &str, direction: &str) -> bool {
        let Some(wanted) = self.direction() else {
            return true;
        };
        match direction {
            "" => self.origins().contains(&origin),
            direction => direction == wanted.as_str(),
        }
    }

    /// The same as a condition of SQL over the two columns.
    pub fn condition(self) -> String {
        let Some(wanted) = self.direction() else {
            return "direction = direction".to_owned();
        };
        let origins = self.origins().iter().map(|origin| format!("origin = '{origin}'"));
        let origins = origins.collect::<Vec<_>>().join(" OR ");
        format!("(direction = '{}' OR direction = '' AND ({origins}))", wanted.as_str())
    }

    /// Origins of what is about no recipient.
    fn origins(self) -> &'static [&'static str] {
        match self {
            DirectionView::Outbound | DirectionView::Internal => &["ours", ""],
            DirectionView::Inbound | DirectionView::Transit => &["outside"],
            DirectionView::All => &["ours", "outside", ""],
        }
    }
}

impl std::str::FromStr for DirectionView {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        DirectionView::parse(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direction_follows_from_origin_and_reach() {
        use MailOrigin::{Ours, Outside, Unknown};
        for (origin, reach, direction) in [
            (Ours, Reach::Away, "outbound"),
            (Ours, Reach::Onward, "outbound"),
            (Ours, Reach::Inside, "internal"),
            (Outside, Reach::Away, "transit"),
            (Ours, Reach::Beyond, "outbound"),
            (Outside, Reach::Beyond, "transit"),
            (Outside, Reach::Onward, "inbound"),
            (Outside, Reach::Inside, "inbound"),
            (Unknown, Reach::Away, "outbound"),
            (Unknown, Reach::Onward, ""),
            (Unknown, Reach::Inside, "internal"),
        ] {
            let told = Direction::of(origin, reach);
            assert_eq!(told.map_or("", Direction::as_str), direction, "{origin:?} {reach:?}");
            // An origin that is learnt later gives what it would have given at once.
            for later in [Ours, Outside].into_iter().filter(|_| origin == Unknown) {
                assert_eq!(Direction::corrected(told, later), Direction::of(later, reach));
            }
        }
    }

    #[test]
    fn a_view_shows_recipients_by_direction_and_all_else_by_origin() {
        for (view, origin, direction, is_shown) in [
            (DirectionView::Outbound, "ours", "outbound", true),
            (DirectionView::Outbound, "ours", "internal", false),
            (DirectionView::Outbound, "ours", "", true),
            (DirectionView::Outbound, "", "", true),
            (DirectionView::Outbound, "", "outbound", true),
            (DirectionView::Outbound, "outside", "", false),
            (DirectionView::Inbound, "outside", "", true),
            (DirectionView::Inbound, "outside", "transit", false),
            (DirectionView::Inbound, "", "", false),
            (DirectionView::Transit, "outside", "transit", true),
            (DirectionView::All, "outside", "inbound", true),
        ] {
            assert_eq!(view.has(origin, direction), is_shown, "{view:?} {origin} {direction}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for view in DirectionView::ALL {
            assert_eq!(DirectionView::parse(view.as_str()), Ok(view));
        }
        assert!(DirectionView::parse("out").unwrap_err().contains("outbound, inbound"));
        assert!(
            Direction::ALL
                .into_iter()
                .all(|d| Direction::named(d.as_str()) == Some(d))
        );
        assert!(MailOrigin::ALL.into_iter().all(|o| MailOrigin::named(o.as_str()) == o));
    }
}
