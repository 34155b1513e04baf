#!/usr/bin/env bash
# Containers left at MTU 1500 over an underlay of 1500: the tunnel takes 50 bytes, and the containers learn it.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
test_begin mtu

ns host-a
ns host-b
wire host-a eth0 host-b eth0
container c1 host-a veth1 10.77.0.1/24 02:00:00:00:77:01 1500 fd77::1/64
container c2 host-b veth2 10.77.0.2/24 02:00:00:00:77:02 1500 fd77::2/64
container c3 host-a veth3 10.77.0.3/24 02:00:00:00:77:03 1500 fd77::3/64
n=1
for h in a b; do
  in_ns host-$h addr add 10.66.0.$n/24 dev eth0
  {
    printf '[[bridge]]\nname = "br0"\n[[bridge.port]]\nname = "veth%s"\n' $n
    [ $h = b ] || printf '[[bridge.port]]\nname = "veth3"\n'
    printf '[[bridge.port]]\nname = "vxlan0"\ntype = "vxlan"\nremote_ip = "10.66.0.%s"\nlocal_ip = "10.66.0.%s"\nkey = 100\n' $((3 - n)) $n
  } >"$DIR/host-$h.toml"
  switch_start host-$h
  n=2
done
check "ping across" pings c1 10.77.0.2 5

# too_big CONTAINER ADDRESS SIZE MTU: the ping fails, and the answer names that MTU
too_big() {
  local out
  out=$(on "$1" ping -n -c 2 -i 0.3 -W 1 -M "do" -s "$3" "$2" 2>&1) && { echo "answered: $out"; return 1; }
  echo "$out"
  grep -qiE "mtu[ =:]+$4" <<<"$out"
}
check "1472 bytes with DF: fragmentation needed, mtu 1450" too_big c1 10.77.0.2 1472 1450
check "the container has learnt it" eval "in_ns c1 route get 10.77.0.2 | grep -q 'mtu 1450'"
check "1422 bytes with DF pass" pings c1 10.77.0.2 3 -M "do" -s 1422
check "IPv6, 1452 bytes: packet too big, mtu 1450" too_big c1 fd77::2 1452 1450
check "IPv6, 1402 bytes pass" pings c1 fd77::2 3 -M "do" -s 1402
check "within the host 1472 bytes with DF pass" pings c1 10.77.0.3 3 -M "do" -s 1472
for c in c1 c2; do in_ns $c route flush cache; in_ns $c -6 route flush cache; done
check_tcp "TCP across, nothing tuned" c1 c2 10.77.0.2 500
check_tcp "TCP back, nothing tuned" c2 c1 10.77.0.1 500
check_tcp "TCP over IPv6 across, nothing tuned" c1 c2 fd77::2 500
check_tcp "TCP over IPv6 back, nothing tuned" c2 c1 fd77::1 500
check_udp "UDP 1 to 8000 bytes across" c1 c2 10.77.0.2
check_udp "UDP over IPv6, 1 to 8000 bytes, across" c1 c2 fd77::2
test_end
