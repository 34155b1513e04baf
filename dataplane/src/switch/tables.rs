//! Flows, groups and meters of a [`Switch`]'s bridges: changes that are staged until the next
//! [`Switch::commit`], and what became of rules.

use super::Switch;
use crate::state::{BridgeId, clock_ms};
use crate::table::group::{GroupMod, GroupModError};
use crate::table::meter::{MeterMod, MeterModError};
use crate::table::rule::FLAG_SEND_FLOW_REM;
use crate::table::{FlowMod, FlowModError, FlowModOutcome, Pipeline, Removed};
use std::sync::Arc;

/// What controllers want to know of. Each is told once, by [`Switch::take_events`].
#[derive(Clone, Debug)]
pub enum Event {
    /// A rule went that has [`crate::table::rule::FLAG_SEND_FLOW_REM`].
    FlowRemoved {
        /// Its bridge.
        bridge: BridgeId,
        /// The rule, its table and why it went.
        removed: Removed,
    },
}

impl Switch {
    /// Applies flow-mods in order, all or none, and publishes once.
    ///
    /// # Errors
    /// The first that the pipeline refuses, with its index.
    pub fn flow_mods(
        &mut self,
        bridge: BridgeId,
        mods: &[FlowMod],
    ) -> Result<Vec<FlowModOutcome>, (usize, FlowModError)> {
        let Some(Some(b)) = self.next.bridges.get_mut(bridge.0 as usize) else {
            return Ok(Vec::new());
        };
        let mut pipeline = (*b.pipeline).clone();
        let now = clock_ms();
        let mut outcomes = mods
            .iter()
            .enumerate()
            .map(|(i, m)| pipeline.apply(m, now).map_err(|e| (i, e)))
            .collect::<Result<Vec<_>, _>>()?;
        Arc::make_mut(b).pipeline = Arc::new(pipeline);
        for outcome in &mut outcomes {
            self.tell(bridge, std::mem::take(&mut outcome.told));
        }
        self.publish();
        Ok(outcomes)
    }

    /// Does one flow-mod. It is in force with the next [`Self::commit`]; until then only
    /// [`Self::pipeline`] shows it.
    ///
    /// # Errors
    /// What the pipeline refuses; then nothing of it was done.
    pub fn flow_mod(
        &mut self,
        bridge: BridgeId,
        m: &FlowMod,
    ) -> Result<FlowModOutcome, FlowModError> {
        let Some(done) = self.staged(bridge, |p, now| p.apply(m, now)) else {
            return Ok(FlowModOutcome::default());
        };
        let mut outcome = done?;
        // What changed nothing need not make workers look at their decisions again.
        self.dirty |= outcome.added + outcome.modified + outcome.removed > 0;
        self.tell(bridge, std::mem::take(&mut outcome.told));
        Ok(outcome)
    }

    /// Does one group-mod, as [`Self::flow_mod`] does a flow-mod. Rules whose group goes, go with it.
    ///
    /// # Errors
    /// What the groups refuse; then nothing of it was done.
    pub fn group_mod(&mut self, bridge: BridgeId, m: &GroupMod) -> Result<(), GroupModError> {
        let Some(done) = self.staged(bridge, |p, _| p.apply_group(m)) else { return Ok(()) };
        let removed = done?;
        self.dirty = true;
        self.tell(bridge, removed);
        Ok(())
    }

    /// Does one meter-mod, as [`Self::flow_mod`] does a flow-mod. Rules whose meter goes, go with it.
    ///
    /// # Errors
    /// What the meters refuse; then nothing of it was done.
    pub fn meter_mod(&mut self, bridge: BridgeId, m: &MeterMod) -> Result<(), MeterModError> {
        let Some(done) = self.staged(bridge, |p, _| p.apply_meter(m)) else { return Ok(()) };
        let removed = done?;
        self.dirty = true;
        self.tell(bridge, removed);
        Ok(())
    }

    /// Keeps the configuration of a table (`None`: of all), which means nothing in OpenFlow 1.3.
    ///
    /// # Errors
    /// When there is no such table.
    pub fn table_mod(
        &mut self,
        bridge: BridgeId,
        table: Option<u8>,
        config: u32,
    ) -> Result<(), FlowModError> {
        let Some(done) = self.staged(bridge, |p, _| p.set_table_config(table, config)) else {
            return Ok(());
        };
        done?;
        self.dirty = true;
        Ok(())
    }

    /// Notes which rules went, for [`Self::take_events`].
    fn tell(&mut self, bridge: BridgeId, removed: Vec<Removed>) {
        let wanted = removed.into_iter().filter(|r| r.rule.flags & FLAG_SEND_FLOW_REM != 0);
        self.events.extend(wanted.map(|removed| Event::FlowRemoved { bridge, removed }));
    }

    /// Changes a bridge's pipeline without publishing it; the caller says whether there is something
    /// to publish. `None` where there is no such bridge.
    fn staged<T>(
        &mut self,
        bridge: BridgeId,
        change: impl FnOnce(&mut Pipeline, u64) -> T,
    ) -> Option<T> {
        let b = self.next.bridges.get_mut(bridge.0 as usize)?.as_mut()?;
        Some(change(Arc::make_mut(&mut Arc::make_mut(b).pipeline), clock_ms()))
    }

    /// What happened to flows since the last call, for those who tell controllers of it. It is kept
    /// until it is taken.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Once a second: flows whose time is over, MAC addresses not heard of.
    pub fn tick(&mut self) {
        let now = clock_ms();
        for at in 0..self.next.bridges.len() {
            let Some(bridge) = &mut self.next.bridges[at] else { continue };
            bridge.fdb.expire(now);
            if bridge.pipeline.has_expired(now) {
                let id = bridge.id;
                let removed = Arc::make_mut(&mut Arc::make_mut(bridge).pipeline).expire(now);
                self.dirty |= !removed.is_empty();
                self.tell(id, removed);
            }
        }
        self.commit();
        self.retired.drop_unused();
    }
}
