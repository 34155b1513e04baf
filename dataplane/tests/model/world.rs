//! The model switch twice: as it is, and without caches and classifier.

use crate::generate::PORTS;
use dataplane::fdb::Fdb;
use dataplane::flow::{CompactMatch, FlowKey, Mask};
use dataplane::state::{
    Bridge, BridgeId, Datapath, FlowOr, InheritOr, OfPort, Port, PortFlags, PortId, PortKind,
    VlanConfig, VlanMode, VxlanConfig,
};
use dataplane::table::linear::LinearTable;
use dataplane::table::{Command, FlowMod, Rule};
use dataplane::translate::Lookup;
use std::sync::Arc;

fn vxlan(remote: FlowOr<std::net::IpAddr>, key: FlowOr<u32>, inherit: bool) -> PortKind {
    PortKind::Vxlan(Arc::new(VxlanConfig {
        remote,
        local: None,
        key,
        dst_port: 4789,
        tos: if inherit { InheritOr::Inherit } else { InheritOr::Fixed(0) },
        ttl: if inherit { InheritOr::Inherit } else { InheritOr::Fixed(64) },
        df: true,
        csum: true,
    }))
}

/// Two bridges joined by a patch, with all kinds of ports and VLAN modes.
pub(crate) fn datapath() -> Datapath {
    let trunk = VlanConfig::default();
    let vlan = |mode, tag, trunks: &[u16]| VlanConfig { mode, tag, trunks: trunks.to_vec() };
    let fixed = FlowOr::Fixed("192.0.2.1".parse().unwrap());
    let ports: [(u32, u32, PortKind, VlanConfig); PORTS as usize] = [
        (0, OfPort::LOCAL.0, PortKind::Local, trunk.clone()),
        (0, 1, PortKind::System, trunk.clone()),
        (0, 2, PortKind::System, vlan(VlanMode::Access, 10, &[])),
        (0, 3, PortKind::System, vlan(VlanMode::Access, 20, &[])),
        (0, 4, PortKind::System, vlan(VlanMode::NativeUntagged, 10, &[20])),
        (0, 5, vxlan(FlowOr::Flow, FlowOr::Flow, true), vlan(VlanMode::NativeTagged, 20, &[])),
        (0, 6, vxlan(fixed, FlowOr::Fixed(100), false), vlan(VlanMode::Trunk, 0, &[0, 10])),
        (0, 7, PortKind::Patch(Some(PortId(8))), trunk.clone()),
        (1, 1, PortKind::Patch(Some(PortId(7))), trunk.clone()),
        (1, 2, PortKind::Memory, trunk.clone()),
        (1, 3, PortKind::Memory, vlan(VlanMode::Access, 10, &[])),
    ];
    let mut dp = Datapath { epoch: 1, ..Datapath::default() };
    for bridge in 0..2u32 {
        let of = ports.iter().enumerate().filter(|(_, p)| p.0 == bridge);
        let mut of: Vec<_> = of.map(|(id, p)| (OfPort(p.1), PortId(id as u32))).collect();
        of.sort();
        dp.bridges.push(Some(Arc::new(Bridge {
            id: BridgeId(bridge),
            name: format!("br{bridge}"),
            ports: of,
            fdb: Arc::new(Fdb::default()),
            pipeline: Arc::default(),
            controllers: bridge == 0,
            fail_open: false,
        })));
    }
    for (id, (bridge, ofport, kind, vlan)) in ports.into_iter().enumerate() {
        dp.ports.push(Some(Arc::new(Port {
            id: PortId(id as u32),
            name: format!("p{id}"),
            bridge: BridgeId(bridge),
            ofport: OfPort(ofport),
            kind,
            vlan,
            flags: PortFlags::default(),
            max_frame: 1514,
        })));
    }
    dp
}

/// The bridge, to be changed.
pub(crate) fn bridge_mut(dp: &mut Datapath, bridge: usize) -> &mut Bridge {
    Arc::make_mut(dp.bridges[bridge].as_mut().unwrap())
}

/// The tables of both bridges as plain lists.
#[derive(Default)]
pub(crate) struct Oracle {
    pub(crate) tables: [[LinearTable; 4]; 2],
}

impl Lookup for Oracle {
    fn lookup(&self, b: &Bridge, table: u8, key: &FlowKey, wc: &mut Mask) -> Option<Arc<Rule>> {
        *wc = Mask::exact();
        self.tables[b.id.0 as usize][usize::from(table)].lookup(key).cloned()
    }
}

impl Oracle {
    /// Whether another rule of equal priority could match the same packets: then which of them
    /// is found is undefined.
    pub(crate) fn ambiguous(&self, bridge: usize, m: &FlowMod) -> bool {
        let table = &self.tables[bridge][usize::from(m.table.unwrap())];
        table.rules.iter().any(|r| {
            r.priority == m.priority
                && r.matching() != m.matching
                && r.matching().overlaps(&m.matching)
        })
    }

    /// Does a flow-mod that was found valid; gives back how many rules it added, modified, removed.
    pub(crate) fn apply(
        &mut self,
        bridge: usize,
        m: &FlowMod,
        now_ms: u64,
    ) -> (usize, usize, usize) {
        let new = |cookie, timeouts: (u16, u16), flags, like: &Rule| Rule {
            matching: like.matching.clone(),
            priority: like.priority,
            instructions: Arc::new(m.instructions.clone()),
            cookie,
            idle_timeout: timeouts.0,
            hard_timeout: timeouts.1,
            flags,
            created: like.created,
            created_ms: like.created_ms,
            stats: Arc::default(),
        };
        let strict = matches!(m.command, Command::ModifyStrict | Command::DeleteStrict);
        let delete = matches!(m.command, Command::Delete | Command::DeleteStrict);
        if m.command == Command::Add {
            let rule = Rule {
                matching: CompactMatch::from(&m.matching),
                priority: m.priority,
                instructions: Arc::new(m.instructions.clone()),
                cookie: m.cookie,
                idle_timeout: m.idle_timeout,
                hard_timeout: m.hard_timeout,
                flags: m.flags,
                created: std::time::Instant::now(),
                created_ms: now_ms,
                stats: Arc::default(),
            };
            let table = usize::from(m.table.unwrap());
            self.tables[bridge][table].insert(Arc::new(rule));
            return (1, 0, 0);
        }
        let selects = |rule: &Rule| {
            let fits = if strict {
                rule.matching() == m.matching && rule.priority == m.priority
            } else {
                rule.matching().is_covered_by(&m.matching)
            };
            let mut actions = rule.instructions.apply.iter().chain(&rule.instructions.write);
            let out = dataplane::action::Action::output(m.out_port);
            fits && rule.cookie & m.cookie_mask == m.cookie & m.cookie_mask
                && (!delete || m.out_port == OfPort::ANY || actions.any(|a| *a == out))
        };
        let mut count = 0;
        for (number, table) in self.tables[bridge].iter_mut().enumerate() {
            if m.table.is_some_and(|t| usize::from(t) != number) {
                continue;
            }
            if delete {
                let before = table.rules.len();
                table.rules.retain(|r| !selects(r));
                count += before - table.rules.len();
                continue;
            }
            for rule in table.rules.iter_mut().filter(|r| selects(r)) {
                count += 1;
                let timeouts = (rule.idle_timeout, rule.hard_timeout);
                *rule = Arc::new(new(rule.cookie, timeouts, rule.flags, rule));
            }
        }
        if delete { (0, 0, count) } else { (0, count, 0) }
    }
}
