//! The providers of a batch's rows: who runs the receiving side of copies that leave us. Each next hop and each domain is looked
//! up once.

use super::segment::{DayRows, Encoder};
use crate::model::dictionary::Dictionary;
use crate::model::direction::{Direction, Reach};
use crate::model::event::Kind;
use crate::normalise::provider::NextHop;
use crate::store::batch::{Batch, split_remote};

/// Of a number that was not looked up.
const UNKNOWN: u32 = u32::MAX;

impl DayRows<'_> {
    /// Fills in the providers of the rows, after their directions.
    pub(super) fn providers(&self, with: &mut Encoder) {
        let Batch {
            rows,
            remotes,
            recipient_domains,
            ..
        } = &self.sealed.batch;
        let (names, codes) = (&mut with.provider_names, &mut with.providers);
        names.clear();
        names.code(b"");
        let mut by_remote = vec![UNKNOWN; remotes.len()];
        let mut by_domain = vec![UNKNOWN; recipient_domains.len()];
        codes.clear();
        for (at, direction) in with.directions.iter().enumerate() {
            let row = self.row(at);
            // Where nobody knows whose mail it is, it may be ours.
            let may_leave = *direction == 0 && rows.reach[row] == Reach::Onward as u8 + 1;
            let leaves = may_leave
                || [Direction::Outbound, Direction::Transit]
                    .map(|away| away as u8 + 1)
                    .contains(direction);
            if !leaves || !Kind::ALL[usize::from(rows.kind[row])].is_attempt() {
                codes.push(0);
                continue;
            }
            // A host of ours that passes it on is no provider.
            let by_host = match rows.reach[row] == Reach::Away as u8 + 1 {
                true => {
                    let remote = rows.remote[row];
                    let hop = || {
                        let (name, ip) = split_remote(remotes.get(remote));
                        NextHop {
                            name,
                            ip,
                            ..NextHop::default()
                        }
                    };
                    self.looked_up(&mut by_remote[remote as usize], hop, names)
                }
                false => 0,
            };
            codes.push(match by_host {
                0 => {
                    let domain = rows.recipient_domain[row];
                    let hop = || NextHop {
                        recipient_domain: recipient_domains.get(domain),
                        ..NextHop::default()
                    };
                    self.looked_up(&mut by_domain[domain as usize], hop, names)
                }
                code => code,
            });
        }
    }

    #[inline]
    fn looked_up<'h>(&self, known: &mut u32, hop: impl FnOnce() -> NextHop<'h>, names: &mut Dictionary) -> u32 {
        if *known == UNKNOWN {
            *known = names.code(self.sealed.providers.of(hop()).as_bytes());
        }
        *known
    }
}
