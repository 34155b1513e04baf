#!/usr/bin/env bash
# NORMAL: VLANs on access and trunk ports, learning and moving of MACs, reserved addresses, never back.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
test_begin vlan

ns host
for k in 1 2 3 4; do container c$k host veth$k 10.77.0.$k/24 02:00:00:00:77:0$k; done
# c5 sits on a trunk: an address in each VLAN
container c5 host veth5 10.78.0.5/24 02:00:00:00:77:05
TRUNK=1
for v in 10 20; do
  in_ns c5 link add link eth1 name eth1.$v type vlan id $v 2>/dev/null || { TRUNK=; break; }
  in_ns c5 link set eth1.$v up
done
cat >"$DIR/host.toml" <<'END'
[[bridge]]
name = "br0"

[[bridge.port]]
name = "veth1"
tag = 10

[[bridge.port]]
name = "veth2"
tag = 10

[[bridge.port]]
name = "veth3"
tag = 20

[[bridge.port]]
name = "veth4"
tag = 20

[[bridge.port]]
name = "veth5"
trunks = [10, 20]
END
switch_start host
check "VLAN 10: access to access" pings c1 10.77.0.2 3
check "VLAN 20: access to access" pings c3 10.77.0.4 3
check_not "VLAN 10 does not reach VLAN 20" pings c1 10.77.0.3 1
if [ -n "$TRUNK" ]; then
  in_ns c5 addr add 10.77.0.5/24 dev eth1.10
  check "VLAN 10: access to trunk" pings c1 10.77.0.5 3
  in_ns c5 addr del 10.77.0.5/24 dev eth1.10
  in_ns c5 addr add 10.77.0.5/24 dev eth1.20
  flush_neighbours c1 c3 c5
  check "VLAN 20: trunk to access" pings c5 10.77.0.3 3
  check_not "VLAN 10 no longer reaches the trunk's address" pings c1 10.77.0.5 1
  check_tcp "TCP from the trunk to an access port" c5 c3 10.77.0.3 500
  check_tcp "TCP from an access port to the trunk" c3 c5 10.77.0.5 500
else
  skip "traffic from a trunk" "this kernel has no VLAN devices (8021q)"
fi

# watch CONTAINER FILE: counts the experimental frames that arrive there
watch() {
  on "$1" python3 "$REPO/tests/system/frames.py" see eth1 1.2 >"$2" &
  WATCHERS+=($!)
  wait_for 3 grep -q watching "$2" || true
}
WATCHERS=()
watch c1 "$DIR/see1"; watch c2 "$DIR/see2"; watch c3 "$DIR/see3"
frames c1 send eth1 ff:ff:ff:ff:ff:ff 10
wait "${WATCHERS[@]}"
check_equal "a broadcast reaches its VLAN" 10 "$(tail -1 "$DIR/see2")"
check_equal "and no other VLAN" 0 "$(tail -1 "$DIR/see3")"
check_equal "and never its sender" 0 "$(tail -1 "$DIR/see1")"
WATCHERS=()
watch c2 "$DIR/see2"
frames c1 send eth1 01:80:c2:00:00:00 10
frames c1 send eth1 01:80:c2:00:00:0e 10
wait "${WATCHERS[@]}"
check_equal "reserved addresses are not forwarded" 0 "$(tail -1 "$DIR/see2")"

fdb() { vx host fdb br0; }
check "the FDB knows c1" eval "fdb | grep -i 02:00:00:00:77:01"
where() { fdb | awk 'tolower($0) ~ /02:00:00:00:77:aa/ { print $1 }'; }
frames c1 announce eth1 02:00:00:00:77:aa 10.77.0.99
check "the FDB knows a MAC from its gratuitous ARP" wait_for 2 eval '[ -n "$(where)" ]'
moved_from() { [ -n "$(where)" ] && [ "$(where)" != "$1" ]; }
first=$(where)
WATCHERS=()
frames c2 announce eth1 02:00:00:00:77:aa 10.77.0.99
check "a gratuitous ARP on another port moves it" wait_for 2 moved_from "$first"
watch c2 "$DIR/see2"; watch c3 "$DIR/see3"
frames c1 send eth1 02:00:00:00:77:aa 10
wait "${WATCHERS[@]}"
check_equal "frames follow it" 10 "$(tail -1 "$DIR/see2")"
check_equal "and go nowhere else" 0 "$(tail -1 "$DIR/see3")"
test_end
