#!/usr/bin/env bash
# VXLAN between vxswitch and Open vSwitch's kernel datapath, which runs in a guest (scripts/kernel-ovs).
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
test_begin interop-ovs-kernel ovs-vsctl ovs-vswitchd busybox modprobe
[ "$(uname -m)" = x86_64 ] || skip_all "the guest (package user-mode-linux) needs an x86-64 machine"
guest=$REPO/scripts/kernel-ovs/run

ns ours
container c1 ours veth1 192.188.1.15/16 00:00:00:00:00:05 8930 fd77::15/64

# guest_matrix TITLE MTU CONTAINER_MTU [GUEST OPTIONS...]
guest_matrix() {
  local t=$1 mtu=$2 inner=$3 size rate way
  shift 3
  at_exit "'$guest' stop -n '$RUN-ours'"
  if ! "$guest" start -n "$RUN-ours" -M "$mtu" -m "$inner" "$@"; then
    skip "$t" "the guest does not boot here"
    return
  fi
  in_ns ours link set veth1 mtu "$inner"
  in_ns c1 link set eth1 mtu "$inner"
  cat >"$DIR/ours.toml" <<'END'
[[bridge]]
name = "br0"

[[bridge.port]]
name = "veth1"

[[bridge.port]]
name = "vxlan0"
type = "vxlan"
remote_ip = "192.168.2.37"
local_ip = "192.168.2.44"
key = 100
END
  switch_start ours || { fail "$t" "the switch does not start"; return; }
  c() { "$guest" c -n "$RUN-ours" "$*"; }
  flush() { in_ns c1 neigh flush all; c ip neigh flush all; }
  flush; check "$t: ARP broadcast from us" pings c1 192.188.1.16 2
  flush; check "$t: ARP broadcast to us" c ping -n -q -c 2 -W 2 192.188.1.15
  flush; check "$t: IPv6 neighbour discovery from us" pings c1 fd77::16 2
  flush; check "$t: IPv6 neighbour discovery to us" c ping -n -q -c 2 -W 2 fd77::15
  for size in 56 1400 $([ "$inner" -lt 8928 ] || echo 8900); do
    check "$t: ping $size bytes from us" pings c1 192.188.1.16 5 -s "$size"
    check "$t: ping $size bytes to us" c ping -n -q -c 5 -i 0.1 -W 2 -s "$size" 192.188.1.15
  done
  c 'iperf3 -s -D'
  for way in "from us" "to us"; do
    local -a reverse=()
    [ "$way" = "from us" ] || reverse=(-R)
    rate=$(on c1 timeout 10 iperf3 -c 192.188.1.16 -t 2 -J "${reverse[@]}" |
      jq -r '(.end.sum_received.bits_per_second // 0) / 1e6 | floor' || echo 0)
    # the guest is slow; what counts is that it flows
    if [ "${rate:-0}" -ge 50 ]; then pass "$t: TCP $way ($(gbit "$rate") Gbit/s)"; else fail "$t: TCP $way" "${rate:-0} Mbit/s"; fi
  done
  # the guest has no Python: the content here is a ping's pattern, which the sender compares in the answer
  for size in 1 17 999 1401 2800 4097 8000; do
    check "$t: $size bytes there and back, content compared" pattern "$size"
  done
  "$guest" exec -n "$RUN-ours" 'ovs-appctl dpctl/dump-flows -m' >"$DIR/dpflows" || true
  check "$t: the peer's flows sit in its kernel datapath" grep -q 'dp:ovs.*tunnel' "$DIR/dpflows"
  check "$t: SIGTERM ends the switch" switch_stop ours
  "$guest" stop -n "$RUN-ours"
}
# pattern SIZE: a ping whose payload ping itself compares; it says "wrong data byte" where they differ
pattern() {
  local out
  out=$(on c1 ping -n -c 2 -i 0.05 -W 2 -s "$1" -p a53c5ac30ff0 192.188.1.16 2>&1) || return 1
  [[ $out != *"wrong data byte"* ]]
}
guest_matrix "MTU 1500" 1500 1450
guest_matrix "MTU 9000, UDP checksums" 9000 8930 -x csum=true
test_end
