//! A minute's flows, added up by what the layers ask for.

use super::alarm::Scope;
use super::fleet::{FleetMinute, Flow, FlowKind, Id, NONE, Names};
use super::host::Heard;
use super::queue::QueueMinute;
use std::collections::BTreeMap;

/// A minute's counts by what they are about.
#[derive(Debug, Default)]
pub struct Sums {
    /// By host.
    pub hosts: Vec<Heard>,
    /// Messages that were taken, by service and hostgroup.
    pub accepted: BTreeMap<Scope, u32>,
    /// Mails that could not be handed in, by service.
    pub failed: BTreeMap<Id, u32>,
    /// Mails that applications say they handed in, by service.
    pub handed_in: BTreeMap<Id, u32>,
    /// Queue and rejects, by service and host.
    pub pairs: BTreeMap<(Id, Id), (QueueMinute, u32)>,
    /// Who found nobody where: service and host.
    pub refused: Vec<(Id, Id)>,
}

impl Sums {
    /// Adds up a minute of `hosts` hosts.
    pub fn of(minute: &FleetMinute, names: &Names, hosts: usize) -> Sums {
        let mut sums = Sums {
            hosts: vec![Heard::default(); hosts],
            ..Sums::default()
        };
        for log in &minute.logs {
            if let Some(heard) = sums.hosts.get_mut(log.host as usize) {
                (heard.unreadable, heard.lines, heard.unparsed) = (!log.readable, log.lines, log.unparsed);
            }
        }
        for flow in &minute.flows {
            sums.add(flow, names);
        }
        sums
    }

    fn add(&mut self, flow: &Flow, names: &Names) {
        let count = flow.count;
        let pair = (flow.service, flow.host);
        let copies = f64::from(count);
        let mut heard = self.hosts.get_mut(flow.host as usize);
        match flow.what {
            FlowKind::Accepted | FlowKind::Passed => {
                if let Some(heard) = &mut heard {
                    heard.accepted += count;
                    heard.queued.arrived += copies;
                }
                self.pairs.entry(pair).or_default().0.arrived += copies;
                if flow.what == FlowKind::Accepted {
                    *self.accepted.entry(Scope::Service(flow.service)).or_default() += count;
                    if flow.hostgroup != NONE {
                        *self.accepted.entry(Scope::Hostgroup(flow.hostgroup)).or_default() += count;
                    }
                }
            }
            FlowKind::Delivered | FlowKind::Deferred | FlowKind::Frozen => {
                let queued = if flow.what == FlowKind::Delivered {
                    QueueMinute {
                        left: copies,
                        ..QueueMinute::default()
                    }
                } else {
                    QueueMinute {
                        stayed: copies,
                        ..QueueMinute::default()
                    }
                };
                if let Some(heard) = heard {
                    heard.queued.left += queued.left;
                    heard.queued.stayed += queued.stayed;
                }
                let sum = &mut self.pairs.entry(pair).or_default().0;
                sum.left += queued.left;
                sum.stayed += queued.stayed;
            }
            FlowKind::Rejected if names.unattributed == Some(flow.service) => {}
            FlowKind::Rejected => self.pairs.entry(pair).or_default().1 += count,
            FlowKind::Submitted => *self.handed_in.entry(flow.service).or_default() += count,
            FlowKind::SubmitFailed => *self.failed.entry(flow.service).or_default() += count,
            FlowKind::Retried => {}
            FlowKind::Foreign => {
                if let Some(heard) = heard {
                    heard.accepted += count;
                }
            }
            FlowKind::HandedTo => {
                if let Some(heard) = heard {
                    heard.handed += count;
                }
            }
            FlowKind::RefusedBy => {
                if let Some(heard) = heard {
                    heard.refused += count;
                }
                self.refused.push(pair);
            }
        }
    }
}
