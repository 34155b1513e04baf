#!/usr/bin/env bash
# VXLAN between vxswitch and the kernel's vxlan device: IPv4 and IPv6 underlay, with and without UDP
# checksums, MTU 1500 and 9000.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
test_begin interop-kernel-vxlan

ns ours
ns theirs
wire ours eth0 theirs eth0 9000
in_ns ours addr add 10.66.0.1/24 dev eth0
in_ns theirs addr add 10.66.0.2/24 dev eth0
in_ns ours addr add fd66::1/64 dev eth0 nodad
in_ns theirs addr add fd66::2/64 dev eth0 nodad
container c1 ours veth1 10.77.0.1/24 02:00:00:00:77:01 8930 fd77::1/64
container c2 theirs veth2 10.77.0.2/24 02:00:00:00:77:02 8930 fd77::2/64

# variant TITLE LOCAL REMOTE CSUM MTU CONTAINER_MTU KERNEL_OPTIONS...
variant() {
  local title=$1 local_ip=$2 remote_ip=$3 csum=$4 mtu=$5 inner=$6 c big=
  shift 6
  for c in ours theirs; do in_ns $c link set eth0 mtu "$mtu"; done
  in_ns ours link set veth1 mtu "$inner"
  in_ns theirs link set veth2 mtu "$inner"
  for c in c1 c2; do in_ns $c link set eth1 mtu "$inner"; done
  [ "$inner" -lt 8928 ] || big=1
  in_ns theirs link add br0 type bridge
  in_ns theirs link add vx0 type vxlan id 100 dstport 4789 local "$remote_ip" remote "$local_ip" ttl 64 "$@"
  in_ns theirs link set vx0 mtu "$inner" master br0 up
  in_ns theirs link set veth2 master br0
  in_ns theirs link set br0 up
  cat >"$DIR/ours.toml" <<END
[[bridge]]
name = "br0"

[[bridge.port]]
name = "veth1"

[[bridge.port]]
name = "vxlan0"
type = "vxlan"
remote_ip = "$remote_ip"
local_ip = "$local_ip"
key = 100
csum = $csum
END
  if switch_start ours; then
    matrix "$title" c1 c2 10.77.0.1 10.77.0.2 fd77::1 fd77::2 $big
    check "$title: SIGTERM ends it" switch_stop ours
  else
    fail "$title" "the switch does not start"
  fi
  in_ns theirs link del vx0
  in_ns theirs link del br0
}
variant "IPv4, checksums, MTU 9000" 10.66.0.1 10.66.0.2 true 9000 8930 udpcsum
variant "IPv4, no checksums, MTU 9000" 10.66.0.1 10.66.0.2 false 9000 8930 noudpcsum
variant "IPv6, checksums, MTU 9000" fd66::1 fd66::2 true 9000 8930 udp6zerocsumrx
variant "IPv6, no checksums, MTU 9000" fd66::1 fd66::2 false 9000 8930 udp6zerocsumtx udp6zerocsumrx
variant "IPv4, checksums, MTU 1500" 10.66.0.1 10.66.0.2 true 1500 1450 udpcsum
variant "IPv6, checksums, MTU 1500" fd66::1 fd66::2 true 1500 1430 udp6zerocsumrx
test_end
