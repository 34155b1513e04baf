#!/usr/bin/env bash
# NORMAL: VLANs on access and trunk ports, learning and moving of MACs, reserved addresses, never back.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
test_begin vlan

ns host
ns host2
for k in 1 2 3 4; do container c$k host veth$k 10.77.0.$k/24 02:00:00:00:77:0$k; done
# c5 and c6 sit on trunks and make and read their tags by themselves, so that no kernel VLAN device is needed
container c5 host veth5 10.78.0.5/24 02:00:00:00:77:05
container c6 host veth6 10.78.0.6/24 02:00:00:00:77:06
# c7 and c8 are on another host; a trunk joins the hosts
container c7 host2 veth7 10.77.0.7/24 02:00:00:00:77:07
container c8 host2 veth8 10.77.0.8/24 02:00:00:00:77:08
wire host uplink host2 uplink
# no frames but the tests' own
for c in c5 c6; do on $c sysctl -qw net.ipv6.conf.eth1.disable_ipv6=1; done
# port NAME SETTINGS...: a port of the configuration file
port() { printf '\n[[bridge.port]]\nname = "%s"\n' "$1"; shift; printf '%s\n' "$@"; }
{
  printf '[[bridge]]\nname = "br0"\n'
  port veth1 'tag = 10'
  port veth2 'tag = 10'
  port veth3 'tag = 20'
  port veth4 'tag = 20'
  port veth5 'trunks = [10, 20]'
  port veth6 'vlan_mode = "native-untagged"' 'tag = 10' 'trunks = [20]'
  port uplink 'trunks = [10, 20]'
} >"$DIR/host.toml"
{
  printf '[[bridge]]\nname = "br0"\n'
  port veth7 'tag = 10'
  port veth8 'tag = 20'
  port uplink 'trunks = [10, 20]'
} >"$DIR/host2.toml"
switch_start host
switch_start host2
check "VLAN 10: access to access" pings c1 10.77.0.2 3
check "VLAN 20: access to access" pings c3 10.77.0.4 3
check_not "VLAN 10 does not reach VLAN 20" pings c1 10.77.0.3 1
check "VLAN 10: access to access over the trunk between the hosts" pings c1 10.77.0.7 3
check "VLAN 20: access to access over the trunk between the hosts" pings c3 10.77.0.8 3
check_not "VLAN 10 does not reach VLAN 20 over the trunk" pings c1 10.77.0.8 1
check "1472 bytes with DF pass the trunk" pings c1 10.77.0.7 3 -M "do" -s 1472
check_tcp "TCP over the trunk" c1 c7 10.77.0.7 500
check_tcp "TCP back over the trunk" c8 c3 10.77.0.3 500

# watch CONTAINER FILE [VERB]: counts the experimental frames that arrive there
watch() {
  on "$1" python3 "$REPO/tests/system/frames.py" "${3:-see}" eth1 1.2 >"$2" &
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

# seen_by TITLE FROM DESTINATION TAG PAYLOAD CONTAINER=FRAMES...: who sees which frames of ten
seen_by() {
  local title=$1 from=$2 to=$3 tag=$4 payload=$5 expected
  shift 5
  WATCHERS=()
  for expected in "$@"; do watch "${expected%%=*}" "$DIR/tags-${expected%%=*}" see-tags; done
  frames "$from" send eth1 "$to" 10 "$tag" "$payload"
  wait "${WATCHERS[@]}"
  for expected in "$@"; do
    check_equal "$title: ${expected%%=*}" "${expected#*=}" "$(tail -1 "$DIR/tags-${expected%%=*}")"
  done
}
all=ff:ff:ff:ff:ff:ff
seen_by "from an access port" c1 $all none 46 "c2=10 of none 60" "c4=none" "c5=10 of 10/0 60" "c6=10 of none 60" "c7=10 of none 60" "c8=none"
seen_by "full frames get their tag beside the MTU" c3 $all none 1500 "c2=none" "c4=10 of none 1514" "c5=10 of 20/0 1514" "c6=10 of 20/0 1514" "c8=10 of none 1514"
seen_by "from a trunk, tag 20" c5 $all 20 46 "c1=none" "c3=10 of none 60" "c5=none" "c6=10 of 20/0 60" "c7=none" "c8=10 of none 60"
seen_by "from a trunk, tag 10, full frames" c5 $all 10 1500 "c1=10 of none 1514" "c3=none" "c6=10 of none 1514" "c7=10 of none 1514"
seen_by "a tag's priority is kept" c5 $all 20/5 46 "c3=10 of none 60" "c6=10 of 20/5 60"
seen_by "a priority tag is no VLAN" c1 $all 0/3 46 "c2=10 of none 60" "c4=none" "c5=10 of 10/3 60"
seen_by "a VLAN that the trunk does not carry" c5 $all 30 46 "c1=none" "c3=none" "c6=none" "c7=none" "c8=none"
seen_by "untagged on a trunk without native VLAN" c5 $all none 46 "c1=none" "c3=none" "c6=none" "c8=none"
seen_by "untagged on a trunk with one" c6 $all none 46 "c1=10 of none 60" "c3=none" "c5=10 of 10/0 60" "c7=10 of none 60"
seen_by "tagged on an access port, even with its own VLAN" c1 $all 10 46 "c2=none" "c4=none" "c5=none"
# drops REASON PORT: how many so far
drops() { vx host stats --json | jq -r --arg r "$1" --arg p "$2" '.ports[] | select(.port == $p) | .drops[$r] // 0'; }
check_equal "what a trunk does not carry is counted as that" 20 "$(drops vlan-not-allowed veth5)"
check_equal "what is tagged on an access port too" 10 "$(drops vlan-not-allowed veth1)"
# by now the trunk's MAC has been learned in both VLANs
seen_by "a MAC learned on a trunk" c3 02:00:00:00:77:05 none 46 "c4=none" "c5=10 of 20/0 60" "c6=none" "c8=none"
seen_by "the same MAC in the other VLAN" c2 02:00:00:00:77:05 none 46 "c1=none" "c5=10 of 10/0 60" "c6=none" "c7=none"

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
