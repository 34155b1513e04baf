#!/usr/bin/env bash
# A flood of mutated frames and VXLAN datagrams through a running switch, good traffic beside it.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
test_begin garbage

ns host
ns far
wire host eth0 far eth0
in_ns host addr add 10.66.0.1/24 dev eth0
in_ns far addr add 10.66.0.2/24 dev eth0
container c1 host veth1 10.77.0.1/24 02:00:00:00:77:01
container c2 host veth2 10.77.0.2/24 02:00:00:00:77:02
container bad host veth3 10.99.0.1/24 02:00:00:00:77:03
# the flood is the only thing to be counted there
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

count=500000
on bad python3 "$REPO/tests/system/frames.py" flood eth1 $count 30 >"$DIR/flood1" 2>&1 &
one=$!
on far python3 "$REPO/tests/system/frames.py" flood-vxlan 10.66.0.1 $count 30 >"$DIR/flood2" 2>&1 &
two=$!
sleep 0.5
check "200 pings beside the flood, none lost" pings c1 10.77.0.2 200
check_tcp "TCP beside the flood" c1 c2 10.77.0.2 100
check "200 more pings, none lost" pings c2 10.77.0.1 200
wait $one || fail "the flood of frames" "$(cat "$DIR/flood1")"
wait $two || fail "the flood of datagrams" "$(cat "$DIR/flood2")"
say "      frames: $(cat "$DIR/flood1")"
say "      datagrams: $(cat "$DIR/flood2")"
check "the switch lives" switch_alive host
check "traffic after" pings c1 10.77.0.2 20

check "stats --json is JSON" eval 'vx host stats --json >"$DIR/stats.json" && jq -e . "$DIR/stats.json"'
python3 "$REPO/tests/system/stats_check.py" "$DIR/stats.json" vxlan-too-short vxlan-bad-flags vxlan-unknown-vni reserved-address >"$DIR/verdict" 2>&1 || true
while IFS=$'\t' read -r verdict name why; do
  case $verdict in
    ok) pass "$name" ;;
    *) fail "${name:-stats}" "${why:-$verdict}" ;;
  esac
done <"$DIR/verdict"
test_end
