#!/usr/bin/env bash
# VXLAN between vxswitch and Open vSwitch's kernel datapath, which runs in a guest (scripts/kernel-ovs).
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
test_begin interop-ovs-kernel
[ "$(uname -m)" = x86_64 ] || skip_all "the guest needs an x86-64 machine"
guest=$REPO/scripts/kernel-ovs/run

ns ours
container c1 ours veth1 192.188.1.15/16 00:00:00:00:00:05 8930 fd77::15/64

# c COMMAND...: in the guest's container
c() { "$guest" c -n "$RUN-ours" "$*"; }
# to_us ADDRESS COUNT [PING OPTIONS...]: as pings, from the guest's container
to_us() {
  local to=$1 count=$2 out
  shift 2
  out=$(c ping -n -q -c "$count" -i 0.1 -W 2 "$@" "$to" 2>&1) || { say "$out"; return 1; }
  say "$out"
  [[ $out == *" $count received"* && $out != *duplicates* ]]
}
flush() { in_ns c1 neigh flush all; c ip neigh flush all; }
# check_guest_tcp NAME ADDRESS [IPERF3 OPTIONS...]: checks that TCP flows; the guest is slow, so a rate says little
check_guest_tcp() {
  local name=$1 addr=$2 rate
  shift 2
  rate=$(on c1 timeout 12 iperf3 -c "$addr" -t 2 -J --connect-timeout 3000 "$@" 2>/dev/null |
    jq -r '(.end.sum_received.bits_per_second // 0) / 1e6 | floor' 2>/dev/null) || rate=0
  if [ "${rate:-0}" -ge 20 ]; then pass "$name ($(gbit "$rate") Gbit/s)"; else fail "$name" "${rate:-0} Mbit/s"; fi
}

# guest_matrix TITLE MTU CONTAINER_MTU [GUEST OPTIONS...]
BOOTED=
guest_matrix() {
  local t=$1 mtu=$2 inner=$3 size
  shift 3
  at_exit "'$guest' stop -n '$RUN-ours'"
  if ! "$guest" start -n "$RUN-ours" -M "$mtu" -m "$inner" "$@" 2> >(tee "$DIR/guest.err" >&2); then
    # a machine on which it booted once is able to boot it
    if [ -n "$BOOTED" ]; then fail "$t" "the guest did not boot again"; else skip "$t" "$(tail -n 1 "$DIR/guest.err")"; fi
    return
  fi
  BOOTED=1
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
  flush; check "$t: ARP broadcast from us" pings c1 192.188.1.16 2 -W 2
  flush; check "$t: ARP broadcast to us" to_us 192.188.1.15 2
  flush; check "$t: IPv6 neighbour discovery from us" pings c1 fd77::16 2 -W 2
  flush; check "$t: IPv6 neighbour discovery to us" to_us fd77::15 2
  for size in 56 1400 $([ "$inner" -lt 8928 ] || echo 8900); do
    check "$t: ping $size bytes from us" pings c1 192.188.1.16 5 -W 2 -s "$size"
    check "$t: ping $size bytes to us" to_us 192.188.1.15 5 -s "$size"
  done
  c 'iperf3 -s -D'
  check_guest_tcp "$t: TCP from us" 192.188.1.16
  check_guest_tcp "$t: TCP to us" 192.188.1.16 -R
  check_guest_tcp "$t: TCP over IPv6 from us" fd77::16
  check_guest_tcp "$t: TCP over IPv6 to us" fd77::16 -R
  c 'python3 -IS /usr/bin/udp.py serve 192.188.1.16 7007 >/dev/null 2>&1 &'
  wait_for 10 c "ss -Hlun 'sport = :7007' | grep -q ." || true
  check "$t: UDP 1 to 8000 bytes from us and back" on c1 python3 "$REPO/tests/system/udp.py" check 192.188.1.16 7007
  spawn c1 python3 "$REPO/tests/system/udp.py" serve fd77::15 7007
  local server=$SPAWNED
  wait_for 5 udp_bound c1 7007 || true
  check "$t: UDP over IPv6, 1 to 8000 bytes, to us and back" c python3 -IS /usr/bin/udp.py check fd77::15 7007
  end_pid "$server" 1 || true
  "$guest" exec -n "$RUN-ours" 'ovs-appctl dpctl/dump-flows -m' >"$DIR/dpflows" || true
  check "$t: the peer's flows sit in its kernel datapath" grep -q 'dp:ovs.*tunnel' "$DIR/dpflows"
  check "$t: SIGTERM ends the switch" switch_stop ours
  "$guest" stop -n "$RUN-ours"
}
guest_matrix "MTU 1500" 1500 1450
guest_matrix "MTU 9000, UDP checksums" 9000 8930 -x csum=true
test_end
