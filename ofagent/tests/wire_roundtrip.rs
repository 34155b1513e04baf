//! Any message, written and read, is the same message; and no bytes make the decoder panic.

use ofagent::wire::action::Action;
use ofagent::wire::asynchronous::AsyncConfig;
use ofagent::wire::error::{ErrorMessage, WireError};
use ofagent::wire::experimenter::Experimenter;
use ofagent::wire::features::{FeaturesReply, SwitchConfig};
use ofagent::wire::flow_mod::{FlowMod, FlowModCommand};
use ofagent::wire::flow_removed::FlowRemoved;
use ofagent::wire::group_mod::{Bucket, GroupMod, GroupModCommand, GroupType};
use ofagent::wire::hello::Hello;
use ofagent::wire::instruction::Instruction;
use ofagent::wire::meter_mod::{Band, MeterMod, MeterModCommand};
use ofagent::wire::multipart::desc::Desc;
use ofagent::wire::multipart::flow::{AggregateStats, FlowStats, FlowStatsRequest};
use ofagent::wire::multipart::group::{GroupDesc, GroupFeatures, GroupStats};
use ofagent::wire::multipart::meter::{MeterConfig, MeterFeatures, MeterStats};
use ofagent::wire::multipart::port::PortStats;
use ofagent::wire::multipart::queue::{QueueStats, QueueStatsRequest};
use ofagent::wire::multipart::table::{TableFeatures, TableProperty, TableStats};
use ofagent::wire::multipart::{MultipartReply, MultipartRequest, ReplyBody, RequestBody, Writer};
use ofagent::wire::oxm::{self, Match, Oxm, OxmId, basic};
use ofagent::wire::packet_in::PacketIn;
use ofagent::wire::packet_out::PacketOut;
use ofagent::wire::port::{Port, PortMod, PortReason, PortStatus};
use ofagent::wire::queue::{PacketQueue, QueueConfigReply, QueueProperty};
use ofagent::wire::role::{ControllerRole, Role};
use ofagent::wire::table_mod::TableMod;
use ofagent::wire::{Message, decode, encode, framing};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

type Any<T> = BoxedStrategy<T>;

fn oxm_of(id: OxmId) -> Any<Oxm> {
    let field = *oxm::lookup(id).unwrap();
    let max = field.max();
    (any::<u128>(), any::<Option<u128>>())
        .prop_map(move |(value, mask)| {
            let mask = mask.filter(|_| field.maskable).map(|m| m & max);
            Oxm { id, len: field.bytes, value: value & mask.unwrap_or(max), mask }
        })
        .boxed()
}

fn exact(field: u8, value: u128) -> Oxm {
    let id = OxmId::basic(field);
    Oxm { id, len: oxm::lookup(id).unwrap().bytes, value, mask: None }
}

/// Fields that presuppose others, behind these; and fields that presuppose nothing.
fn matching() -> Any<Match> {
    let (ipv4, ipv6) = (exact(basic::ETH_TYPE, 0x0800), exact(basic::ETH_TYPE, 0x86dd));
    let proto = |p| exact(basic::IP_PROTO, p);
    let nd = |t| exact(basic::ICMPV6_TYPE, t);
    let nxm = |field| OxmId { class: oxm::NXM_1, field };
    let of = OxmId::basic;
    let flags = OxmId { class: oxm::EXPERIMENTER, field: oxm::ONF_TCP_FLAGS };
    let stacks: Vec<(Vec<Oxm>, Vec<OxmId>)> = vec![
        (vec![], vec![]),
        (vec![exact(basic::VLAN_VID, 0x1007)], vec![of(basic::VLAN_PCP)]),
        (vec![exact(basic::IN_PORT, 3)], vec![of(basic::IN_PHY_PORT), of(basic::ETH_SRC)]),
        (vec![ipv4, proto(6)], vec![of(basic::IPV4_SRC), of(basic::TCP_DST), flags, nxm(29)]),
        (vec![ipv4, proto(17)], vec![of(basic::IP_DSCP), of(basic::UDP_SRC), nxm(26)]),
        (vec![ipv4, proto(1)], vec![of(basic::ICMPV4_TYPE), of(basic::ICMPV4_CODE)]),
        (vec![ipv6, proto(132)], vec![of(basic::SCTP_SRC), of(basic::IPV6_FLABEL)]),
        (vec![ipv6], vec![of(basic::IPV6_EXTHDR), of(basic::IPV6_DST), of(basic::IP_ECN)]),
        (vec![ipv6, proto(58), nd(135)], vec![of(basic::IPV6_ND_TARGET), of(basic::IPV6_ND_SLL)]),
        (vec![ipv6, proto(58), nd(136)], vec![of(basic::IPV6_ND_TLL), of(basic::ICMPV6_CODE)]),
        (vec![exact(basic::ETH_TYPE, 0x0806)], vec![of(basic::ARP_OP), of(basic::ARP_THA)]),
        (vec![exact(basic::ETH_TYPE, 0x8847)], vec![of(basic::MPLS_LABEL), of(basic::MPLS_BOS)]),
        (vec![exact(basic::ETH_TYPE, 0x88e7)], vec![of(basic::PBB_ISID)]),
    ];
    let free = vec![of(basic::METADATA), of(basic::TUNNEL_ID), nxm(0), nxm(15), nxm(31), nxm(109)];
    (select(stacks), proptest::sample::subsequence(free.clone(), 0..=free.len()))
        .prop_flat_map(|((needed, more), free)| {
            let fields: Vec<_> = more.into_iter().chain(free).map(oxm_of).collect();
            (Just(needed), fields)
        })
        .prop_map(|(mut needed, more)| {
            needed.extend(more);
            Match(needed)
        })
        .boxed()
}

fn set_field() -> Any<Oxm> {
    let ports = [OxmId::basic(basic::IN_PORT), OxmId::basic(basic::IN_PHY_PORT)];
    let ids: Vec<_> = oxm::all().map(|f| f.id).filter(|id| !ports.contains(id)).collect();
    select(ids)
        .prop_flat_map(oxm_of)
        .prop_map(|mut o| {
            if o.id == OxmId::basic(basic::VLAN_VID) && o.mask.is_none() {
                o.value |= oxm::VID_PRESENT;
            }
            o
        })
        .boxed()
}

fn action() -> Any<Action> {
    let reg = |field| OxmId { class: oxm::NXM_1, field };
    prop_oneof![
        any::<(u32, u16)>().prop_map(|(port, max_len)| Action::Output { port, max_len }),
        Just(Action::CopyTtlOut),
        Just(Action::CopyTtlIn),
        any::<u8>().prop_map(Action::SetMplsTtl),
        Just(Action::DecMplsTtl),
        select(vec![0x8100, 0x88a8]).prop_map(Action::PushVlan),
        Just(Action::PopVlan),
        select(vec![0x8847, 0x8848]).prop_map(Action::PushMpls),
        any::<u16>().prop_map(Action::PopMpls),
        any::<u32>().prop_map(Action::SetQueue),
        any::<u32>().prop_map(Action::Group),
        any::<u8>().prop_map(Action::SetNwTtl),
        Just(Action::DecNwTtl),
        set_field().prop_map(Action::SetField),
        Just(Action::PushPbb(0x88e7)),
        Just(Action::PopPbb),
        (0..16u8, 0..16u16, 1..=16u16, any::<u64>()).prop_map(move |(r, bit, bits, value)| {
            Action::Load { field: reg(r), bit, bits, value: value & ((1 << bits) - 1) }
        }),
        (0..16u8, 0..16u16, 0..32u16, 1..=16u16).prop_map(move |(r, src_bit, dst_bit, bits)| {
            let dst = OxmId { class: oxm::EXPERIMENTER, field: oxm::ONF_TCP_FLAGS };
            let (dst, bits) = if dst_bit == 0 { (dst, bits.min(12)) } else { (reg(3), bits) };
            Action::Move { src: reg(r), src_bit, dst, dst_bit: dst_bit.min(16), bits }
        }),
        any::<(u16, u8)>().prop_map(|(port, table)| Action::Resubmit { port, table }),
        any::<(u16, u16, u8)>().prop_map(|(max_len, id, reason)| Action::Controller {
            max_len,
            id,
            reason
        }),
        (0..4usize, any::<u8>()).prop_map(|(n, b)| Action::Note(vec![b; 6 + 8 * n])),
    ]
    .boxed()
}

fn actions() -> Any<Vec<Action>> {
    vec(action(), 0..6).boxed()
}

fn instructions() -> Any<Vec<Instruction>> {
    let one = (actions(), actions(), any::<(u8, u64, u64, u32)>());
    (one, 0..64u8)
        .prop_map(|((apply, write, (table, metadata, mask, meter)), which)| {
            let all = [
                Instruction::Meter(meter),
                Instruction::ApplyActions(apply),
                Instruction::ClearActions,
                Instruction::WriteActions(write),
                Instruction::WriteMetadata { metadata, mask },
                Instruction::GotoTable(table.min(254)),
            ];
            let chosen = |(n, i): (usize, _)| (which & 1u8 << n != 0).then_some(i);
            all.into_iter().enumerate().filter_map(chosen).collect()
        })
        .boxed()
}

fn text() -> Any<String> {
    "[a-zA-Zäß€ ]{0,5}".boxed()
}

fn data() -> Any<Vec<u8>> {
    vec(any::<u8>(), 0..80).boxed()
}

fn buckets() -> Any<Vec<Bucket>> {
    let bucket = (any::<(u16, u32, u32)>(), actions()).prop_map(
        |((weight, watch_port, watch_group), actions)| Bucket {
            weight,
            watch_port,
            watch_group,
            actions,
        },
    );
    vec(bucket, 0..4).boxed()
}

fn group_type() -> Any<GroupType> {
    use GroupType as G;
    select(vec![G::All, G::Select, G::Indirect, G::FastFailover]).boxed()
}

fn bands() -> Any<Vec<Band>> {
    let band = prop_oneof![
        any::<(u32, u32)>().prop_map(|(rate, burst)| Band::Drop { rate, burst }),
        any::<(u32, u32, u8)>().prop_map(|(rate, burst, prec_level)| Band::DscpRemark {
            rate,
            burst,
            prec_level
        }),
    ];
    vec(band, 0..4).boxed()
}

fn port() -> Any<Port> {
    (any::<[u8; 6]>(), text(), any::<[u32; 9]>())
        .prop_map(|(hw_addr, name, n)| Port {
            port_no: n[0],
            hw_addr,
            name,
            config: n[1],
            state: n[2],
            curr: n[3],
            advertised: n[4],
            supported: n[5],
            peer: n[6],
            curr_speed: n[7],
            max_speed: n[8],
        })
        .boxed()
}

fn flow_stats() -> Any<FlowStats> {
    (any::<(u8, u32, u32, u16, u16, u16, u16)>(), any::<[u64; 3]>(), matching(), instructions())
        .prop_map(|(h, n, matching, instructions)| FlowStats {
            table_id: h.0,
            duration_sec: h.1,
            duration_nsec: h.2,
            priority: h.3,
            idle_timeout: h.4,
            hard_timeout: h.5,
            flags: h.6,
            cookie: n[0],
            packet_count: n[1],
            byte_count: n[2],
            matching,
            instructions,
        })
        .boxed()
}

fn flow_request() -> Any<FlowStatsRequest> {
    (any::<(u8, u32, u32, u64, u64)>(), matching())
        .prop_map(|(h, matching)| FlowStatsRequest {
            table_id: h.0,
            out_port: h.1,
            out_group: h.2,
            cookie: h.3,
            cookie_mask: h.4,
            matching,
        })
        .boxed()
}

fn table_features() -> Any<Vec<TableFeatures>> {
    let kinds = || vec(0..100u16, 0..5);
    let ids: Vec<_> = oxm::all().map(|f| (f.id, f.maskable, f.bytes)).collect();
    let fields = move || vec(select(ids.clone()), 0..9);
    let property = prop_oneof![
        (any::<bool>(), kinds())
            .prop_map(|(miss, kinds)| TableProperty::Instructions { miss, kinds }),
        (any::<bool>(), data())
            .prop_map(|(miss, tables)| TableProperty::NextTables { miss, tables }),
        (any::<bool>(), kinds())
            .prop_map(|(miss, kinds)| TableProperty::WriteActions { miss, kinds }),
        (any::<bool>(), kinds())
            .prop_map(|(miss, kinds)| TableProperty::ApplyActions { miss, kinds }),
        fields().prop_map(TableProperty::Match),
        fields().prop_map(TableProperty::Wildcards),
        (any::<bool>(), fields())
            .prop_map(|(miss, fields)| TableProperty::WriteSetField { miss, fields }),
        (any::<bool>(), fields())
            .prop_map(|(miss, fields)| TableProperty::ApplySetField { miss, fields }),
        (0xfffeu16..=0xffff, data())
            .prop_map(|(kind, data)| TableProperty::Experimenter { kind, data }),
    ];
    let table = (any::<(u8, u64, u64, u32, u32)>(), text(), vec(property, 0..6)).prop_map(
        |(h, name, properties)| TableFeatures {
            table_id: h.0,
            name,
            metadata_match: h.1,
            metadata_write: h.2,
            config: h.3,
            max_entries: h.4,
            properties,
        },
    );
    vec(table, 0..3).boxed()
}

fn request() -> Any<MultipartRequest> {
    let body = prop_oneof![
        Just(RequestBody::Desc),
        flow_request().prop_map(RequestBody::Flow),
        flow_request().prop_map(RequestBody::Aggregate),
        Just(RequestBody::Table),
        any::<u32>().prop_map(RequestBody::PortStats),
        any::<(u32, u32)>()
            .prop_map(|(port_no, queue_id)| QueueStatsRequest { port_no, queue_id })
            .prop_map(RequestBody::Queue),
        any::<u32>().prop_map(RequestBody::Group),
        Just(RequestBody::GroupDesc),
        Just(RequestBody::GroupFeatures),
        any::<u32>().prop_map(RequestBody::Meter),
        any::<u32>().prop_map(RequestBody::MeterConfig),
        Just(RequestBody::MeterFeatures),
        table_features().prop_map(RequestBody::TableFeatures),
        Just(RequestBody::PortDesc),
        (any::<(u32, u32)>(), data()).prop_map(|((experimenter, exp_type), data)| {
            RequestBody::Experimenter { experimenter, exp_type, data }
        }),
    ];
    (any::<bool>(), body).prop_map(|(more, body)| MultipartRequest { more, body }).boxed()
}

fn counters() -> Any<Vec<(u64, u64)>> {
    vec(any::<(u64, u64)>(), 0..4).boxed()
}

fn port_stats() -> Any<PortStats> {
    any::<(u32, [u64; 12], u32, u32)>()
        .prop_map(|(port_no, n, duration_sec, duration_nsec)| PortStats {
            port_no,
            rx_packets: n[0],
            tx_packets: n[1],
            rx_bytes: n[2],
            tx_bytes: n[3],
            rx_dropped: n[4],
            tx_dropped: n[5],
            rx_errors: n[6],
            tx_errors: n[7],
            rx_frame_err: n[8],
            rx_over_err: n[9],
            rx_crc_err: n[10],
            collisions: n[11],
            duration_sec,
            duration_nsec,
        })
        .boxed()
}

fn reply() -> Any<MultipartReply> {
    let group =
        (any::<([u32; 4], u64, u64)>(), counters()).prop_map(|((n, p, b), buckets)| GroupStats {
            group_id: n[0],
            ref_count: n[1],
            packet_count: p,
            byte_count: b,
            duration_sec: n[2],
            duration_nsec: n[3],
            buckets,
        });
    let meter =
        (any::<([u32; 4], u64, u64)>(), counters()).prop_map(|((n, p, b), bands)| MeterStats {
            meter_id: n[0],
            flow_count: n[1],
            packet_in_count: p,
            byte_in_count: b,
            duration_sec: n[2],
            duration_nsec: n[3],
            bands,
        });
    let body = prop_oneof![
        (text(), text(), text(), text(), text()).prop_map(|t| {
            ReplyBody::Desc(Desc {
                mfr_desc: t.0,
                hw_desc: t.1,
                sw_desc: t.2,
                serial_num: t.3,
                dp_desc: t.4,
            })
        }),
        vec(flow_stats(), 0..4).prop_map(ReplyBody::Flow),
        any::<(u64, u64, u32)>().prop_map(|(packet_count, byte_count, flow_count)| {
            ReplyBody::Aggregate(AggregateStats { packet_count, byte_count, flow_count })
        }),
        vec(any::<(u8, u32, u64, u64)>(), 0..4).prop_map(|v| {
            let one = |(table_id, active_count, lookup_count, matched_count)| TableStats {
                table_id,
                active_count,
                lookup_count,
                matched_count,
            };
            ReplyBody::Table(v.into_iter().map(one).collect())
        }),
        vec(port_stats(), 0..4).prop_map(ReplyBody::PortStats),
        vec(any::<([u32; 4], [u64; 3])>(), 0..4).prop_map(|v| {
            let one = |(n, c): ([u32; 4], [u64; 3])| QueueStats {
                port_no: n[0],
                queue_id: n[1],
                tx_bytes: c[0],
                tx_packets: c[1],
                tx_errors: c[2],
                duration_sec: n[2],
                duration_nsec: n[3],
            };
            ReplyBody::Queue(v.into_iter().map(one).collect())
        }),
        vec(group, 0..4).prop_map(ReplyBody::Group),
        vec((group_type(), any::<u32>(), buckets()), 0..4).prop_map(|v| {
            let one = |(kind, group_id, buckets)| GroupDesc { kind, group_id, buckets };
            ReplyBody::GroupDesc(v.into_iter().map(one).collect())
        }),
        any::<(u32, u32, [u32; 4], [u32; 4])>().prop_map(|(types, capabilities, g, actions)| {
            ReplyBody::GroupFeatures(GroupFeatures { types, capabilities, max_groups: g, actions })
        }),
        vec(meter, 0..4).prop_map(ReplyBody::Meter),
        vec((any::<(u16, u32)>(), bands()), 0..4).prop_map(|v| {
            let one = |((flags, meter_id), bands)| MeterConfig { flags, meter_id, bands };
            ReplyBody::MeterConfig(v.into_iter().map(one).collect())
        }),
        any::<(u32, u32, u32, u8, u8)>().prop_map(|h| {
            ReplyBody::MeterFeatures(MeterFeatures {
                max_meter: h.0,
                band_types: h.1,
                capabilities: h.2,
                max_bands: h.3,
                max_color: h.4,
            })
        }),
        table_features().prop_map(ReplyBody::TableFeatures),
        vec(port(), 0..4).prop_map(ReplyBody::PortDesc),
        (any::<(u32, u32)>(), data()).prop_map(|((experimenter, exp_type), data)| {
            ReplyBody::Experimenter { experimenter, exp_type, data }
        }),
    ];
    (any::<bool>(), body).prop_map(|(more, body)| MultipartReply { more, body }).boxed()
}

fn symmetric() -> Any<Message> {
    prop_oneof![
        any::<(u8, Option<u32>)>()
            .prop_map(|(version, bitmap)| Message::Hello(Hello { version, bitmap })),
        (any::<(u16, u16)>(), data()).prop_map(|((kind, code), data)| {
            Message::Error(ErrorMessage { error: WireError { kind, code }, data })
        }),
        data().prop_map(Message::EchoRequest),
        data().prop_map(Message::EchoReply),
        any::<u32>().prop_map(|f| Message::Experimenter(Experimenter::SetPacketInFormat(f))),
        any::<u16>().prop_map(|id| Message::Experimenter(Experimenter::SetControllerId(id))),
        (1..5u32, any::<u32>(), data()).prop_map(|(experimenter, exp_type, data)| {
            Message::Experimenter(Experimenter::Other { experimenter, exp_type, data })
        }),
    ]
    .boxed()
}

fn role() -> Any<Role> {
    use ControllerRole as R;
    (select(vec![R::NoChange, R::Equal, R::Master, R::Slave]), any::<u64>())
        .prop_map(|(role, generation_id)| Role { role, generation_id })
        .boxed()
}

fn asynchronous() -> Any<AsyncConfig> {
    any::<[[u32; 2]; 3]>()
        .prop_map(|[packet_in, port_status, flow_removed]| AsyncConfig {
            packet_in,
            port_status,
            flow_removed,
        })
        .boxed()
}

fn flow_mod() -> Any<FlowMod> {
    use FlowModCommand as C;
    let commands = vec![C::Add, C::Modify, C::ModifyStrict, C::Delete, C::DeleteStrict];
    let head = (any::<(u64, u64, u8, u16, u16, u16)>(), any::<[u32; 3]>(), 0..32u16);
    (head, select(commands), matching(), instructions())
        .prop_map(|((h, n, flags), command, matching, instructions)| FlowMod {
            cookie: h.0,
            cookie_mask: h.1,
            table_id: h.2,
            command,
            idle_timeout: h.3,
            hard_timeout: h.4,
            priority: h.5,
            buffer_id: n[0],
            out_port: n[1],
            out_group: n[2],
            flags,
            matching,
            instructions,
        })
        .boxed()
}

fn to_switch() -> Any<Message> {
    use {GroupModCommand as G, MeterModCommand as M};
    let config = any::<(u16, u16)>()
        .prop_map(|(flags, miss_send_len)| SwitchConfig { flags, miss_send_len });
    prop_oneof![
        Just(Message::FeaturesRequest),
        Just(Message::GetConfigRequest),
        Just(Message::BarrierRequest),
        Just(Message::GetAsyncRequest),
        config.prop_map(Message::SetConfig),
        (any::<(u32, u32)>(), actions(), data()).prop_map(
            |((buffer_id, in_port), actions, data)| {
                Message::PacketOut(PacketOut { buffer_id, in_port, actions, data })
            }
        ),
        flow_mod().prop_map(|m| Message::FlowMod(Box::new(m))),
        (select(vec![G::Add, G::Modify, G::Delete]), group_type(), any::<u32>(), buckets())
            .prop_map(|(command, kind, group_id, buckets)| {
                Message::GroupMod(GroupMod { command, kind, group_id, buckets })
            }),
        (select(vec![M::Add, M::Modify, M::Delete]), any::<(u16, u32)>(), bands()).prop_map(
            |(command, (flags, meter_id), bands)| {
                Message::MeterMod(MeterMod { command, flags, meter_id, bands })
            }
        ),
        any::<(u32, [u8; 6], u32, u32, u32)>().prop_map(
            |(port_no, hw_addr, config, mask, advertise)| {
                Message::PortMod(PortMod { port_no, hw_addr, config, mask, advertise })
            }
        ),
        any::<(u8, u32)>()
            .prop_map(|(table_id, config)| Message::TableMod(TableMod { table_id, config })),
        request().prop_map(Message::MultipartRequest),
        any::<u32>().prop_map(Message::QueueGetConfigRequest),
        role().prop_map(Message::RoleRequest),
        asynchronous().prop_map(Message::SetAsync),
    ]
    .boxed()
}

fn to_controller() -> Any<Message> {
    let config = any::<(u16, u16)>()
        .prop_map(|(flags, miss_send_len)| SwitchConfig { flags, miss_send_len });
    let property = prop_oneof![
        any::<u16>().prop_map(QueueProperty::MinRate),
        any::<u16>().prop_map(QueueProperty::MaxRate),
    ];
    let queue = (any::<(u32, u32)>(), vec(property, 0..3))
        .prop_map(|((queue_id, port), properties)| PacketQueue { queue_id, port, properties });
    let reasons = vec![PortReason::Add, PortReason::Delete, PortReason::Modify];
    prop_oneof![
        any::<(u64, u32, u8, u8, u32)>().prop_map(|h| {
            Message::FeaturesReply(FeaturesReply {
                datapath_id: h.0,
                n_buffers: h.1,
                n_tables: h.2,
                auxiliary_id: h.3,
                capabilities: h.4,
            })
        }),
        config.prop_map(Message::GetConfigReply),
        (any::<(u32, u16, u8, u8, u64)>(), matching(), data()).prop_map(|(h, matching, data)| {
            Message::PacketIn(PacketIn {
                buffer_id: h.0,
                total_len: h.1,
                reason: h.2,
                table_id: h.3,
                cookie: h.4,
                matching,
                data,
            })
        }),
        (any::<(u64, u16, u8, u8, u32, u32, u16, u16, u64, u64)>(), matching()).prop_map(
            |(h, matching)| {
                Message::FlowRemoved(FlowRemoved {
                    cookie: h.0,
                    priority: h.1,
                    reason: h.2,
                    table_id: h.3,
                    duration_sec: h.4,
                    duration_nsec: h.5,
                    idle_timeout: h.6,
                    hard_timeout: h.7,
                    packet_count: h.8,
                    byte_count: h.9,
                    matching,
                })
            }
        ),
        (select(reasons), port())
            .prop_map(|(reason, port)| Message::PortStatus(PortStatus { reason, port })),
        reply().prop_map(Message::MultipartReply),
        Just(Message::BarrierReply),
        (any::<u32>(), vec(queue, 0..3)).prop_map(|(port, queues)| {
            Message::QueueGetConfigReply(QueueConfigReply { port, queues })
        }),
        role().prop_map(Message::RoleReply),
        asynchronous().prop_map(Message::GetAsyncReply),
    ]
    .boxed()
}

fn message() -> Any<Message> {
    prop_oneof![symmetric(), to_switch(), to_controller()].boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn written_and_read_is_the_same(xid in any::<u32>(), message in message()) {
        let mut bytes = Vec::new();
        encode(xid, &message, &mut bytes).unwrap();
        prop_assert_eq!(framing::message_len(&bytes), Ok(Some(bytes.len())));
        prop_assert_eq!(decode(&bytes), Ok((xid, message)));
    }

    /// Some bytes of a good message are others, or its end is missing.
    #[test]
    fn damaged_messages_are_read_as_something_or_refused(
        message in message(),
        cut in any::<Option<proptest::sample::Index>>(),
        damage in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = Vec::new();
        encode(1, &message, &mut bytes).unwrap();
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()).max(8));
        }
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes[0] = 4;
        let len = bytes.len() as u16;
        bytes[2..4].copy_from_slice(&len.to_be_bytes());
        if let Ok((xid, decoded)) = decode(&bytes) {
            let mut again = Vec::new();
            encode(xid, &decoded, &mut again).unwrap();
            prop_assert_eq!(decode(&again), Ok((xid, decoded)));
        }
    }

    #[test]
    fn any_bytes_are_read_as_something_or_refused(kind in 0..32u8, body in vec(any::<u8>(), 0..300)) {
        let mut bytes = vec![4, kind];
        bytes.extend((8 + body.len() as u16).to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(body);
        let _ = decode(&bytes);
    }
}

/// Every message of an answer that was written item by item.
fn parts(bytes: &[u8]) -> Vec<MultipartReply> {
    let (mut rest, mut parts) = (bytes, Vec::new());
    while let Ok(Some(len)) = framing::message_len(rest) {
        match decode(&rest[..len]) {
            Ok((77, Message::MultipartReply(reply))) => parts.push(reply),
            other => panic!("{other:?}"),
        }
        rest = &rest[len..];
    }
    assert!(rest.is_empty());
    parts
}

fn stats(n: u32) -> TableStats {
    TableStats { table_id: 0, active_count: n, lookup_count: 0, matched_count: 0 }
}

#[test]
fn an_answer_is_cut_into_messages_that_are_full() {
    let mut bytes = Vec::new();
    let mut writer = Writer::reply(77, &mut bytes);
    for n in 0..10_000 {
        writer.push(&stats(n)).unwrap();
    }
    writer.finish();
    let parts = parts(&bytes);
    // 24 bytes each.
    assert_eq!(parts.len(), 10_000usize.div_ceil((65535 - 16) / 24));
    let mut seen = 0;
    for (i, part) in parts.iter().enumerate() {
        assert_eq!(part.more, i + 1 < parts.len());
        let ReplyBody::Table(items) = &part.body else { panic!("{part:?}") };
        for item in items {
            assert_eq!(item.active_count, seen);
            seen += 1;
        }
    }
    assert_eq!(seen, 10_000);
}

#[test]
fn an_answer_in_several_goes_ends_once() {
    let mut bytes = Vec::new();
    let mut first = Writer::reply(77, &mut bytes);
    first.push(&stats(1)).unwrap();
    first.finish_part();
    Writer::<TableStats>::reply(77, &mut bytes).finish_part();
    Writer::<TableStats>::reply(77, &mut bytes).finish();
    let expected = [(true, vec![stats(1)]), (false, vec![])];
    let expected = expected.map(|(more, t)| MultipartReply { more, body: ReplyBody::Table(t) });
    assert_eq!(parts(&bytes), expected);
}

#[test]
fn an_item_longer_than_a_message_is_left_out_and_said_so() {
    let group = |n| GroupDesc {
        kind: GroupType::All,
        group_id: n,
        buckets: vec![
            Bucket { weight: 0, watch_port: 0, watch_group: 0, actions: vec![] };
            if n == 1 { 5000 } else { 1 }
        ],
    };
    let mut bytes = Vec::new();
    let mut writer = Writer::reply(77, &mut bytes);
    assert_eq!(writer.push(&group(0)), Ok(()));
    assert_eq!(writer.push(&group(1)).map_err(|e| e.len), Err(16 + 8 + 5000 * 16));
    assert_eq!(writer.push(&group(2)), Ok(()));
    writer.finish();
    let body = ReplyBody::GroupDesc(vec![group(0), group(2)]);
    assert_eq!(parts(&bytes), [MultipartReply { more: false, body }]);
}
