#!/usr/bin/env bash
# A container and an outside host reach each other through the bridge's own port (LOCAL), which holds the
# gateway's address; the host between them routes. The addresses are the reference set-up's.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
test_begin scenario1

ns host-a
ns host-b
wire host-a eth0 host-b eth0
in_ns host-a addr add 192.168.2.44/24 dev eth0
in_ns host-b addr add 192.168.2.37/24 dev eth0
in_ns host-b route add 192.188.0.0/16 via 192.168.2.44
on host-a sysctl -qw net.ipv4.ip_forward=1
container c1 host-a veth1 192.188.1.11/16 00:00:00:00:00:01
container c2 host-a veth2 192.188.1.12/16 00:00:00:00:00:02
for c in c1 c2; do in_ns $c route add default via 192.188.1.1; done
cat >"$DIR/host-a.toml" <<'END'
[[bridge]]
name = "myswitch"
mac = "02:00:00:00:00:fe"

[[bridge.port]]
name = "veth1"

[[bridge.port]]
name = "veth2"
END
switch_start host-a
in_ns host-a addr add 192.188.1.1/16 dev myswitch
in_ns host-a link set myswitch up

check "container to the gateway" pings c1 192.188.1.1 5
check "host to the container" pings host-a 192.188.1.11 5
check "container to container" pings c1 192.188.1.12 5
check "container to the outside host" pings c1 192.168.2.37 5
check "outside host to the container" pings host-b 192.188.1.11 5
check "outside host to the gateway" pings host-b 192.188.1.1 5
check "outside host to the container, 1472 bytes unfragmented" pings host-b 192.188.1.11 3 -M "do" -s 1472
check_tcp "TCP container to the outside host" c1 host-b 192.168.2.37 500
check_tcp "TCP outside host to the container" host-b c1 192.188.1.11 500
check_tcp "TCP container to the gateway" c1 host-a 192.188.1.1 500
check_udp "UDP container to the outside host and back" c1 host-b 192.168.2.37

# The host's stack must not answer on the veth that the switch has taken: its MAC is not the gateway's.
check_equal "only LOCAL answers ARP for the gateway" 02:00:00:00:00:fe "$(frames c1 who-has eth1 192.188.1.11 192.188.1.1)"
check_equal "nobody answers ARP for the host's other address" "" \
  "$(frames c1 who-has eth1 192.188.1.11 192.168.2.44 | tr ' ' '\n' | grep -vx 02:00:00:00:00:fe || true)"
ten_times() {
  local i
  for i in {1..10}; do
    flush_neighbours c1
    pings c1 192.188.1.1 1 || { echo "ping $i"; return 1; }
  done
}
check "ten pings, each with an empty ARP table" ten_times
check_equal "the container knows the gateway by LOCAL's MAC" 02:00:00:00:00:fe \
  "$(in_ns c1 neigh show 192.188.1.1 | grep -o '..:..:..:..:..:..' || true)"
test_end
