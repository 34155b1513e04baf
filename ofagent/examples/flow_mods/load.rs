//! The flow-mods: a third each of routes, of sources that may reach a TCP port, and of addresses on a
//! VLAN. Their priority is above that of the rules that the traffic takes, so that every lookup has
//! to look at them; none of them matches the traffic. No shape of match covers another: a command
//! that is not strict looks at every rule whose match has all its fields and more, in Open vSwitch too.

use ofagent::wire::action::Action;
use ofagent::wire::flow_mod::{FlowMod, FlowModCommand};
use ofagent::wire::instruction::Instruction;
use ofagent::wire::oxm::{Match, Oxm, OxmId, basic};
use ofagent::wire::{self, GROUP_ANY, Message, NO_BUFFER, PORT_ANY};

/// Of all flows made here, in the bits of [`COOKIE_MASK`]; the others number them. With one cookie for
/// all, and a mask of all bits, Open vSwitch did only some 1,000 strict modifies a second.
pub(crate) const COOKIE: u64 = 0x10ad << 32;
pub(crate) const COOKIE_MASK: u64 = !0 << 32;
const PRIORITY: u16 = 1000;

/// What is measured, in this order.
pub(crate) const PHASES: [Phase; 6] = [
    Phase::Add,
    Phase::ModifyStrict,
    Phase::Modify,
    Phase::DeleteStrict,
    Phase::AddAgain,
    Phase::Delete,
];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Add,
    ModifyStrict,
    Modify,
    DeleteStrict,
    /// For [`Self::Delete`]; the allocator is warm by then.
    AddAgain,
    Delete,
}

impl Phase {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::ModifyStrict => "modify-strict",
            Self::Modify => "modify",
            Self::DeleteStrict => "delete-strict",
            Self::AddAgain => "add-again",
            Self::Delete => "delete",
        }
    }

    /// How many of `n` flows the phase is about: of those that Open vSwitch searches the whole table
    /// for, a hundredth.
    pub(crate) const fn share(self, n: u32) -> u32 {
        match self {
            Self::Modify | Self::Delete => n.div_ceil(100),
            _ => n,
        }
    }

    /// How many of `n` flows there are afterwards.
    pub(crate) const fn left(self, n: u32) -> u32 {
        match self {
            Self::DeleteStrict => 0,
            Self::Delete => n - self.share(n),
            _ => n,
        }
    }

    const fn command(self) -> FlowModCommand {
        match self {
            Self::Add | Self::AddAgain => FlowModCommand::Add,
            Self::ModifyStrict => FlowModCommand::ModifyStrict,
            Self::Modify => FlowModCommand::Modify,
            Self::DeleteStrict => FlowModCommand::DeleteStrict,
            Self::Delete => FlowModCommand::Delete,
        }
    }
}

/// The flow-mods of a phase, one for each of the first `n` flows, as bytes.
pub(crate) fn encode(phase: Phase, n: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(n as usize * 128);
    for i in 0..n {
        let port = match phase {
            Phase::Modify => 2,
            Phase::ModifyStrict => 3,
            _ => 1,
        };
        let output = Action::Output { port, max_len: 0 };
        push(&mut out, i, phase.command(), matching(i), vec![output]);
    }
    out
}

/// One message that deletes them all.
pub(crate) fn delete_all() -> Vec<u8> {
    let mut out = Vec::new();
    push(&mut out, 0, FlowModCommand::Delete, Match::default(), Vec::new());
    out
}

fn push(
    out: &mut Vec<u8>,
    xid: u32,
    command: FlowModCommand,
    matching: Match,
    actions: Vec<Action>,
) {
    let deletes = matches!(command, FlowModCommand::Delete | FlowModCommand::DeleteStrict);
    let m = FlowMod {
        cookie: COOKIE | u64::from(xid),
        cookie_mask: if matching.0.is_empty() { COOKIE_MASK } else { 0 },
        table_id: 0,
        command,
        idle_timeout: 0,
        hard_timeout: 0,
        priority: PRIORITY,
        buffer_id: NO_BUFFER,
        out_port: PORT_ANY,
        out_group: GROUP_ANY,
        flags: 0,
        matching,
        instructions: if deletes { Vec::new() } else { vec![Instruction::ApplyActions(actions)] },
    };
    wire::encode(xid, &Message::FlowMod(Box::new(m)), out).expect("a hundred bytes");
}

/// The match of flow `i`.
fn matching(i: u32) -> Match {
    let field = |field, len, value: u32| Oxm {
        id: OxmId::basic(field),
        len,
        value: value.into(),
        mask: None,
    };
    // 10.128.0.0/9: not the traffic's 10.77.0.0/16.
    let address = 0x0a80_0000 + i / 3;
    Match(match i % 3 {
        0 => vec![field(basic::ETH_TYPE, 2, 0x0800), field(basic::IPV4_DST, 4, address)],
        1 => vec![
            field(basic::IN_PORT, 4, 1 + i % 2),
            field(basic::ETH_TYPE, 2, 0x0800),
            field(basic::IP_PROTO, 1, 6),
            field(basic::IPV4_SRC, 4, address),
            field(basic::TCP_DST, 2, 1 + i % 60_000),
        ],
        _ => {
            let mac = 0x0200_0000_0000 | u128::from(address);
            vec![
                Oxm { value: mac, ..field(basic::ETH_DST, 6, 0) },
                field(basic::VLAN_VID, 2, 0x1000 | (1 + i % 4000)),
            ]
        }
    })
}
