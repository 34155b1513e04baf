//! Why a packet was dropped: every drop has one of these reasons, and `stats` shows them.

/// Makes the reasons from a table of them, so that what is printed beside a count is the doc sentence.
macro_rules! reasons {
    ($($(#[doc = $sentence:literal])+ $reason:ident => $name:literal,)+) => {
        /// Reason of a drop. The doc sentence of each is what `vxswitch stats` prints beside its count.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum DropReason {
            $($(#[doc = $sentence])+ $reason,)+
        }

        impl DropReason {
            /// All reasons, in the order of their numbers.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$reason),+];

            /// Name as shown by `stats` and used in JSON.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$reason => $name,)+
                }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$reason => concat!($($sentence),+).trim_ascii(),)+
                }
            }
        }
    };
}

impl DropReason {
    /// Number of reasons.
    pub const COUNT: usize = Self::ALL.len();
}

reasons! {
    /// frame shorter than an Ethernet header
    RxTooShort => "rx-too-short",
    /// received frame longer than the switch's largest buffer, or cut short by the kernel
    RxTruncated => "rx-truncated",
    /// receive queue was full: frames came faster than the switch took them (for VXLAN datagrams with
    /// a wrong UDP checksum count here too)
    RxQueueFull => "rx-queue-full",
    /// virtio_net_hdr that contradicts its frame
    RxBadVnetHdr => "rx-bad-vnet-hdr",
    /// ingress port is administratively down or has NO_RECV
    RxPortDown => "rx-port-down",
    /// no flow matched (table miss without a table-miss entry)
    TableMiss => "table-miss",
    /// the matching flow has no output action
    NoOutput => "no-output",
    /// the matching flow sends to a controller, and none is connected
    NoController => "no-controller",
    /// the matching flow sends to a controller, and the ingress port has NO_PACKET_IN
    NoPacketIn => "no-packet-in",
    /// group action with a group that does not exist
    NoGroup => "no-group",
    /// group without a live bucket
    NoLiveBucket => "no-live-bucket",
    /// meter instruction with a meter that does not exist
    NoMeter => "no-meter",
    /// more table lookups, or more patch ports, groups and resubmits within each other, than the limit
    TooManyHops => "too-many-hops",
    /// frame had to be taken apart anew, behind popped headers, more often than the limit
    TooManyRecirculations => "too-many-recirculations",
    /// IP or MPLS TTL, or hop limit, reached zero when decremented
    TtlExpired => "ttl-expired",
    /// action that does not fit the packet, such as a transport field of a fragment
    BadAction => "bad-action",
    /// above the rate of a meter's drop band
    Meter => "meter",
    /// for the controllers, but as many packets with the same reason were waiting as may
    PacketInQueueFull => "packet-in-queue-full",
    /// from a controller (packet-out), but as many were waiting as may
    PacketOutQueueFull => "packet-out-queue-full",
    /// NORMAL: VLAN not admitted by the ingress port
    VlanNotAllowed => "vlan-not-allowed",
    /// NORMAL: 802.1D reserved destination address (01:80:c2:00:00:0x)
    ReservedAddress => "reserved-address",
    /// NORMAL: destination sits behind the ingress port
    SamePort => "same-port",
    /// NORMAL or FLOOD: no other port to send to
    NoFloodPort => "no-flood-port",
    /// output port does not exist
    TxNoPort => "tx-no-port",
    /// output port is administratively down or has NO_FWD
    TxPortDown => "tx-port-down",
    /// output port has no link
    TxLinkDown => "tx-link-down",
    /// output port's send queue is full
    TxQueueFull => "tx-queue-full",
    /// frame, or a segment of it, exceeds the output port's MTU
    TxTooBig => "tx-too-big",
    /// the kernel refused the frame
    TxError => "tx-error",
    /// tunnel: no remote address known (remote_ip=flow without tun_dst set)
    TunnelNoRemote => "tunnel-no-remote",
    /// tunnel: no route to the remote VTEP
    TunnelNoRoute => "tunnel-no-route",
    /// VXLAN: datagram shorter than its headers
    VxlanTooShort => "vxlan-too-short",
    /// VXLAN: I flag not set (RFC 7348 section 5)
    VxlanBadFlags => "vxlan-bad-flags",
    /// VXLAN: VNI or remote VTEP that no tunnel is configured for
    VxlanUnknownVni => "vxlan-unknown-vni",
    /// tunnel: inner frame unfit for its ECN marks (RFC 6040: CE outside, not ECN-capable inside)
    TunnelEcn => "tunnel-ecn",
}
