#!/usr/bin/env bash
# A flood of a million mutated frames and a million mutated VXLAN datagrams through a running switch, good
# traffic beside it. Every single one must be accounted for.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
test_begin garbage

COUNT=1000000

ns host
ns far
# no frames but the test's own, so that they can be counted: no IPv6, no ARP
for h in host far; do on $h sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1; done
wire host eth0 far eth0
in_ns host addr add 10.66.0.1/24 dev eth0
in_ns far addr add 10.66.0.2/24 dev eth0
container c1 host veth1 10.77.0.1/24 02:00:00:00:77:01
container c2 host veth2 10.77.0.2/24 02:00:00:00:77:02
container bad host veth3 10.99.0.1/24 02:00:00:00:77:03
for c in c1 c2 bad; do on $c sysctl -qw net.ipv6.conf.all.disable_ipv6=1; in_ns $c link set eth1 arp off; done
in_ns c1 neigh add 10.77.0.2 lladdr 02:00:00:00:77:02 dev eth1
in_ns c2 neigh add 10.77.0.1 lladdr 02:00:00:00:77:01 dev eth1
cat >"$DIR/host.toml" <<'END'
[[bridge]]
name = "br0"

[[bridge.port]]
name = "veth1"

[[bridge.port]]
name = "veth2"

[[bridge.port]]
name = "veth3"

[[bridge.port]]
name = "vxlan0"
type = "vxlan"
remote_ip = "10.66.0.2"
local_ip = "10.66.0.1"
key = 100
END
switch_start host
check "traffic before" pings c1 10.77.0.2 3

# snapshot NAME: the counters, the switch's and the kernel's
snapshot() {
  sleep 0.5
  vx host stats --json >"$DIR/stats-$1.json" && jq -e . "$DIR/stats-$1.json" >/dev/null &&
    on host python3 "$REPO/tests/system/stats_check.py" snapshot "$DIR/$1.json" "$DIR/stats-$1.json"
}
check "stats --json is JSON" snapshot before
on bad python3 "$REPO/tests/system/frames.py" flood eth1 $COUNT 120 >"$DIR/flood1" 2>&1 &
one=$!
on far python3 "$REPO/tests/system/frames.py" flood-vxlan 10.66.0.1 $COUNT 120 >"$DIR/flood2" 2>&1 &
two=$!
sleep 0.5
check "200 pings beside the flood, none lost" pings c1 10.77.0.2 200
check_tcp "TCP beside the flood" c1 c2 10.77.0.2 100
check "200 more pings, none lost" pings c2 10.77.0.1 200
wait $one || fail "the flood of frames" "$(cat "$DIR/flood1")"
wait $two || fail "the flood of datagrams" "$(cat "$DIR/flood2")"
say "      frames: $(cat "$DIR/flood1")"
say "      datagrams: $(sed 's/[0-9]* of them[^,]*, //' "$DIR/flood2")"
check "the switch lives" switch_alive host
check "traffic after" pings c1 10.77.0.2 20
# the kernel tells of what it dropped with the next frame that it keeps
frames bad send eth1 02:00:00:00:66:66
on far python3 "$REPO/tests/system/frames.py" flood-vxlan 10.66.0.1 1 1 >/dev/null
check "stats --json is JSON after it" snapshot after

python3 "$REPO/tests/system/stats_check.py" compare "$DIR/before.json" "$DIR/after.json" veth3 vxlan0 $COUNT $COUNT \
  "$(grep -o '[0-9]* of them' "$DIR/flood1" | grep -o '[0-9]*')" \
  vxlan-too-short vxlan-bad-flags vxlan-unknown-vni reserved-address tx-too-big >"$DIR/verdict" 2>&1 || true
while IFS=$'\t' read -r verdict name why; do
  case $verdict in
    ok) pass "$name" ;;
    -) say "      $name" ;;
    *) fail "${name:-stats}" "${why:-$verdict}" ;;
  esac
done <"$DIR/verdict"
test_end
