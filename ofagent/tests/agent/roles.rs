//! Roles and asynchronous configuration (sections 6.3.4, 7.3.9 and 7.3.10).

use crate::bench::{Bench, add, flow_mod, info_of, output};
use dataplane::state::OfPort;
use ofagent::agent::ConnKind;
use ofagent::wire::Message;
use ofagent::wire::asynchronous::AsyncConfig;
use ofagent::wire::error::{WireError, bad_request, kind, role_request_failed};
use ofagent::wire::role::{ControllerRole, Role};

fn role(role: ControllerRole, generation_id: u64) -> Message {
    Message::RoleRequest(Role { role, generation_id })
}

fn is(role: ControllerRole, generation_id: u64) -> Message {
    Message::RoleReply(Role { role, generation_id })
}

#[test]
fn a_master_demotes_the_other_and_stale_elections_are_refused() {
    use ControllerRole::{Equal, Master, NoChange, Slave};
    let mut b = Bench::new(1);
    let (one, two) = (b.controller(), b.controller());
    assert_eq!(b.ask(one, &role(NoChange, 0)), is(Equal, u64::MAX));
    assert_eq!(b.ask(one, &role(Master, 5)), is(Master, 5));
    assert_eq!(b.ask(two, &role(NoChange, 0)), is(Equal, 5));
    assert_eq!(b.ask(two, &role(Master, 6)), is(Master, 6));
    assert_eq!(b.ask(one, &role(NoChange, 0)), is(Slave, 6));
    let stale = WireError::new(kind::ROLE_REQUEST_FAILED, role_request_failed::STALE);
    assert_eq!(b.refused(one, &role(Master, 5)), stale);
    assert_eq!(b.ask(two, &role(NoChange, 0)), is(Master, 6));
    // The circle goes round.
    assert_eq!(b.ask(two, &role(Slave, u64::MAX / 2 + 5)), is(Slave, u64::MAX / 2 + 5));
    assert_eq!(b.ask(two, &role(Slave, 3)), is(Slave, 3));
    assert_eq!(b.ask(one, &role(Equal, 0)), is(Equal, 3));
}

#[test]
fn a_slave_changes_nothing_but_may_ask() {
    let mut b = Bench::new(1);
    let (slave, equal) = (b.controller(), b.controller());
    b.ask(slave, &role(ControllerRole::Slave, 1));
    let refused = b.refused(slave, &flow_mod(add(1, vec![], vec![output(1)])));
    assert_eq!(refused, WireError::bad_request(bad_request::IS_SLAVE));
    assert!(b.all_flows(slave).is_empty());
    assert!(matches!(b.ask(slave, &Message::FeaturesRequest), Message::FeaturesReply(_)));
    b.tell(equal, &flow_mod(add(1, vec![], vec![output(1)])));
    assert_eq!(b.all_flows(slave).len(), 1);
}

#[test]
fn each_hears_what_its_role_and_filter_let_through() {
    let mut b = Bench::new(1);
    let (slave, equal) = (b.controller(), b.controller());
    let service = b.agent.connected(ConnKind::Service);
    b.ask(slave, &role(ControllerRole::Slave, 1));
    let default = AsyncConfig { packet_in: [3, 0], port_status: [7, 7], flow_removed: [15, 0] };
    assert_eq!(b.ask(slave, &Message::GetAsyncRequest), Message::GetAsyncReply(default));

    let up = |b: &mut Bench, link_up| {
        b.infos[0].link_up = link_up;
        b.agent.set_ports(&b.switch, b.infos.clone());
    };
    up(&mut b, false);
    assert!(matches!(b.unasked(slave), Message::PortStatus(_)));
    assert!(matches!(b.unasked(equal), Message::PortStatus(_)));
    assert!(b.received(service).is_empty());

    let mut removed = add(1, vec![], vec![]);
    removed.flags = 1;
    b.tell(equal, &flow_mod(removed.clone()));
    removed.command = ofagent::wire::flow_mod::FlowModCommand::Delete;
    b.send(equal, &flow_mod(removed));
    assert!(matches!(b.unasked(equal), Message::FlowRemoved(_)));
    assert!(b.received(slave).is_empty());

    let quiet = AsyncConfig { packet_in: [0, 0], port_status: [0, 1], flow_removed: [0, 0] };
    b.tell(slave, &Message::SetAsync(quiet));
    b.tell(equal, &Message::SetAsync(quiet));
    up(&mut b, true);
    assert!(b.received(slave).is_empty() && b.received(equal).is_empty());
    b.infos.push(dataplane_info());
    b.agent.set_ports(&b.switch, b.infos.clone());
    assert!(
        matches!(b.unasked(slave), Message::PortStatus(_)),
        "a slave wants to hear of new ones"
    );
    assert!(b.received(equal).is_empty());
}

fn dataplane_info() -> ofagent::agent::PortInfo {
    let mut info = info_of(7);
    info.ofport = OfPort::LOCAL;
    info
}
