#!/usr/bin/env bash
# VXLAN between vxswitch and Open vSwitch's userspace datapath, MTU 1500 and 9000.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
test_begin interop-ovs-userspace ovs-vsctl ovs-vswitchd ovsdb-server ethtool

ns ours
ns theirs
wire ours eth0 theirs eth0 9000
in_ns ours addr add 10.66.0.1/24 dev eth0
# the wire between the hosts, as a real one: it carries finished checksums and no frame above its MTU
on ours ethtool -K eth0 tx off gso off tso off >/dev/null
container c1 ours veth1 10.77.0.1/24 02:00:00:00:77:01 8930 fd77::1/64
container c2 theirs veth2 10.77.0.2/24 02:00:00:00:77:02 8930 fd77::2/64
# Open vSwitch's userspace datapath passes on checksums unfinished: its own container must finish them. Ours is left alone.
on c2 ethtool -K eth1 tx off >/dev/null
ovs_start theirs
vsctl theirs add-br br-phy -- set bridge br-phy datapath_type=netdev -- add-port br-phy eth0 \
  -- set interface eth0 mtu_request=9000 -- set interface br-phy mtu_request=9000
in_ns theirs addr add 10.66.0.2/24 dev br-phy
in_ns theirs link set br-phy up
vsctl theirs add-br br0 -- set bridge br0 datapath_type=netdev -- add-port br0 veth2 -- set interface veth2 mtu_request=8930 \
  -- add-port br0 vxlan0 -- set interface vxlan0 type=vxlan options:remote_ip=10.66.0.1 options:key=100

# variant TITLE MTU CONTAINER_MTU VXLAN_OPTION
variant() {
  local title=$1 mtu=$2 inner=$3 big='' c
  in_ns ours link set eth0 mtu "$mtu"
  vsctl theirs set interface eth0 mtu_request="$mtu" -- set interface br-phy mtu_request="$mtu" \
    -- set interface veth2 mtu_request="$inner" -- set interface vxlan0 "options:$4"
  in_ns ours link set veth1 mtu "$inner"
  for c in c1 c2; do in_ns $c link set eth1 mtu "$inner"; done
  [ "$inner" -lt 8928 ] || big=1
  cat >"$DIR/ours.toml" <<'END'
[[bridge]]
name = "br0"

[[bridge.port]]
name = "veth1"

[[bridge.port]]
name = "vxlan0"
type = "vxlan"
remote_ip = "10.66.0.2"
local_ip = "10.66.0.1"
key = 100
END
  if switch_start ours; then
    # Open vSwitch resolves the remote VTEP by itself, and loses what comes before the answer
    wait_for 10 pings c2 10.77.0.1 1 || true
    matrix "$title" c1 c2 10.77.0.1 10.77.0.2 fd77::1 fd77::2 $big
    check "$title: SIGTERM ends it" switch_stop ours
  else
    fail "$title" "the switch does not start"
  fi
}
variant "MTU 9000" 9000 8930 csum=false
variant "MTU 1500, UDP checksums" 1500 1450 csum=true
test_end
