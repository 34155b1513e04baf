#!/usr/bin/env bash
# The switch killed and started again, the container restarted, the switch ended: nothing doubled, nothing left.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
test_begin restart tc

ns host
container c1 host veth1 10.77.0.1/24 02:00:00:00:77:01
container c2 host veth2 10.77.0.2/24 02:00:00:00:77:02
cat >"$DIR/host.toml" <<'END'
[[bridge]]
name = "br0"
mac = "02:00:00:00:77:fe"

[[bridge.port]]
name = "veth1"
ofport = 11

[[bridge.port]]
name = "veth2"
ofport = 12
END
host_links() { in_ns host -br link show | awk '{ print $1 }' | sort; }
before=$(host_links)
switch_start host
in_ns host addr add 10.77.0.254/24 dev br0
in_ns host link set br0 up
check "traffic before" pings c1 10.77.0.2 3

spawn c1 ping -n -i 0.002 10.77.0.2
traffic=$SPAWNED
for i in 1 2 3; do
  switch_kill host
  check "start after SIGKILL, $i" switch_start host
  check "traffic after it" pings c1 10.77.0.2 10
done
end_pid "$traffic"
in_ns host addr replace 10.77.0.254/24 dev br0
in_ns host link set br0 up
check "LOCAL answers after it" pings c1 10.77.0.254 3
check_equal "one answer to an ARP request" 02:00:00:00:77:02 "$(frames c1 who-has eth1 10.77.0.1 10.77.0.2)"
# a frame sent once arrives once
on c2 python3 "$REPO/tests/system/frames.py" see eth1 1.5 >"$DIR/seen" &
watcher=$!
wait_for 3 grep -q watching "$DIR/seen" || true
frames c1 send eth1 02:00:00:00:77:02 20
wait $watcher
check_equal "20 frames sent, 20 seen" 20 "$(tail -1 "$DIR/seen")"
check_equal "one filter on the veth" 1 "$(on host tc filter show dev veth1 ingress | grep -c 'handle 0x' || true)"

# the container starts again: its veth is another one of the same name
number() { vx host show --json | jq -r '[.. | objects | select(.name? == "veth2") | (.ofport // .of_port // .port_no // .number)] | first'; }
check_equal "port number before the container's restart" 12 "$(number)"
in_ns host link del veth2
ns_del c2
sleep 0.5
check_not "the container is gone" pings c1 10.77.0.2 1
check "the switch lives" switch_alive host
container c2 host veth2 10.77.0.2/24 02:00:00:00:77:02
check "it comes back by itself" wait_for 5 pings c1 10.77.0.2 2
check_equal "with the same port number" 12 "$(number)"
check_tcp "TCP to it" c1 c2 10.77.0.2 500
in_ns host link set veth2 down
sleep 0.3
check_not "link down: no answer" pings c1 10.77.0.2 1
in_ns host link set veth2 up
check "link up: answers again" wait_for 5 pings c1 10.77.0.2 2

check "SIGTERM ends it" switch_stop host
check_equal "the host's links are those from before" "$before" "$(host_links)"
check_equal "no clsact is left" "" "$(on host tc qdisc show | grep clsact || true)"
check_equal "nothing is promiscuous" "" "$(in_ns host -d link show | grep -o 'promiscuity [1-9]' || true)"
in_ns host addr add 10.77.0.253/24 dev veth1
check "the host's own stack answers on the veth again" pings c1 10.77.0.253 3
test_end
