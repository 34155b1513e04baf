//! The order of the action set (OpenFlow 1.3 section 5.10).

use crate::action::Action;

/// The actions of a set in the order in which they are done: copy TTL inwards, pop, push MPLS, push
/// PBB, push VLAN, copy TTL outwards, decrement TTL, set, QoS, group, output. Of each kind the one
/// written last counts; what sets fields is done as written, so that other fields, and other bits of
/// a field, do not replace each other. "If both an output action and a group action are specified in
/// an action set, the output action is ignored and the group action takes precedence."
pub(super) fn order(set: &[Action]) -> Vec<Action> {
    type Is = fn(&Action) -> bool;
    const SINGLE: [Is; 10] = [
        |a| matches!(a, Action::CopyTtlIn),
        // Outermost first.
        |a| matches!(a, Action::PopVlan),
        |a| matches!(a, Action::PopPbb),
        |a| matches!(a, Action::PopMpls(_)),
        |a| matches!(a, Action::PushMpls(_)),
        |a| matches!(a, Action::PushPbb(_)),
        |a| matches!(a, Action::PushVlan(_)),
        |a| matches!(a, Action::CopyTtlOut),
        |a| matches!(a, Action::DecTtl),
        |a| matches!(a, Action::DecMplsTtl),
    ];
    // Where the packet goes: the first kind that there is.
    const LAST: [Is; 3] = [
        |a| matches!(a, Action::Group(_)),
        |a| matches!(a, Action::Output(_) | Action::Controller { .. }),
        // Open vSwitch's, and its place there.
        |a| matches!(a, Action::Resubmit { .. }),
    ];
    let sets = |a: &&Action| {
        matches!(a, Action::SetField { .. } | Action::Load { .. } | Action::Move { .. })
    };
    const QOS: Is = |a| matches!(a, Action::SetQueue(_));
    let last = |is: &Is| set.iter().rfind(|a| is(a));
    let queue = last(&QOS);
    let single = SINGLE.iter().filter_map(last);
    let end = LAST.iter().find_map(last);
    single.chain(set.iter().filter(sets)).chain(queue).chain(end).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Field;
    use crate::state::OfPort;

    #[test]
    fn the_set_is_done_in_the_standards_order_whatever_the_order_of_writing() {
        let set = |value| Action::SetField { field: Field::EthDst, value, mask: 1 };
        let ordered = [
            Action::CopyTtlIn,
            Action::PopVlan,
            Action::PopPbb,
            Action::PopMpls(0x800),
            Action::PushMpls(0x8847),
            Action::PushPbb(0x88e7),
            Action::PushVlan(0x8100),
            Action::CopyTtlOut,
            Action::DecTtl,
            Action::DecMplsTtl,
            set(1),
            Action::SetQueue(1),
            Action::Group(1),
        ];
        let mut written = ordered.to_vec();
        written.reverse();
        // Ignored: a group beats an output, wherever it stands; and these have others behind them.
        written.push(Action::output(OfPort(1)));
        written.insert(0, Action::PushVlan(0x88a8));
        written.insert(0, Action::Group(9));
        assert_eq!(order(&written), ordered);
        let outputs = [Action::output(OfPort(1)), set(1), set(0), Action::output(OfPort(2))];
        assert_eq!(order(&outputs), [set(1), set(0), Action::output(OfPort(2))]);
    }
}
