//! Why a packet was dropped: every drop has one of these reasons, and `stats` shows them.

/// Reason of a drop. The doc sentence of each is what `vxswitch stats` prints beside its count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DropReason {
    /// frame shorter than an Ethernet header
    RxTooShort,
    /// received frame longer than the switch's largest buffer, or cut short by the kernel
    RxTruncated,
    /// receive queue was full: frames came faster than the switch took them
    RxQueueFull,
    /// virtio_net_hdr that contradicts its frame
    RxBadVnetHdr,
    /// ingress port is administratively down or has NO_RECV
    RxPortDown,
    /// no flow matched (table miss without a table-miss entry)
    TableMiss,
    /// the matching flow has no output action
    NoOutput,
    /// more table lookups or patch-port hops than the limit
    TooManyHops,
    /// IP TTL or hop limit reached zero in dec_ttl
    TtlExpired,
    /// action that does not fit the packet, such as a transport field of a fragment
    BadAction,
    /// NORMAL: VLAN not admitted by the ingress port
    VlanNotAllowed,
    /// NORMAL: 802.1D reserved destination address (01:80:c2:00:00:0x)
    ReservedAddress,
    /// NORMAL: destination sits behind the ingress port
    SamePort,
    /// NORMAL or FLOOD: no other port to send to
    NoFloodPort,
    /// output port does not exist
    TxNoPort,
    /// output port is administratively down or has NO_FWD
    TxPortDown,
    /// output port has no link
    TxLinkDown,
    /// output port's send queue is full
    TxQueueFull,
    /// frame, or a segment of it, exceeds the output port's MTU
    TxTooBig,
    /// the kernel refused the frame
    TxError,
    /// tunnel: no remote address known (remote_ip=flow without tun_dst set)
    TunnelNoRemote,
    /// tunnel: no route to the remote VTEP
    TunnelNoRoute,
    /// VXLAN: datagram shorter than its headers
    VxlanTooShort,
    /// VXLAN: I flag not set (RFC 7348 section 5)
    VxlanBadFlags,
    /// VXLAN: VNI or remote VTEP that no tunnel is configured for
    VxlanUnknownVni,
    /// tunnel: inner frame unfit for its ECN marks (RFC 6040: CE outside, not ECN-capable inside)
    TunnelEcn,
}

impl DropReason {
    /// Number of reasons.
    pub const COUNT: usize = Self::ALL.len();

    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 26] = [
        Self::RxTooShort,
        Self::RxTruncated,
        Self::RxQueueFull,
        Self::RxBadVnetHdr,
        Self::RxPortDown,
        Self::TableMiss,
        Self::NoOutput,
        Self::TooManyHops,
        Self::TtlExpired,
        Self::BadAction,
        Self::VlanNotAllowed,
        Self::ReservedAddress,
        Self::SamePort,
        Self::NoFloodPort,
        Self::TxNoPort,
        Self::TxPortDown,
        Self::TxLinkDown,
        Self::TxQueueFull,
        Self::TxTooBig,
        Self::TxError,
        Self::TunnelNoRemote,
        Self::TunnelNoRoute,
        Self::VxlanTooShort,
        Self::VxlanBadFlags,
        Self::VxlanUnknownVni,
        Self::TunnelEcn,
    ];

    /// Name as shown by `stats` and used in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RxTooShort => "rx-too-short",
            Self::RxTruncated => "rx-truncated",
            Self::RxQueueFull => "rx-queue-full",
            Self::RxBadVnetHdr => "rx-bad-vnet-hdr",
            Self::RxPortDown => "rx-port-down",
            Self::TableMiss => "table-miss",
            Self::NoOutput => "no-output",
            Self::TooManyHops => "too-many-hops",
            Self::TtlExpired => "ttl-expired",
            Self::BadAction => "bad-action",
            Self::VlanNotAllowed => "vlan-not-allowed",
            Self::ReservedAddress => "reserved-address",
            Self::SamePort => "same-port",
            Self::NoFloodPort => "no-flood-port",
            Self::TxNoPort => "tx-no-port",
            Self::TxPortDown => "tx-port-down",
            Self::TxLinkDown => "tx-link-down",
            Self::TxQueueFull => "tx-queue-full",
            Self::TxTooBig => "tx-too-big",
            Self::TxError => "tx-error",
            Self::TunnelNoRemote => "tunnel-no-remote",
            Self::TunnelNoRoute => "tunnel-no-route",
            Self::VxlanTooShort => "vxlan-too-short",
            Self::VxlanBadFlags => "vxlan-bad-flags",
            Self::VxlanUnknownVni => "vxlan-unknown-vni",
            Self::TunnelEcn => "tunnel-ecn",
        }
    }
}
