# Sourced by every system test: checks and their count, and the matrix of the interop tests.
# shellcheck shell=bash
#
# A test prints a line per check, "ok", "FAIL" or "SKIP" first, and ends with 0, 1, or 77 if nothing
# could be tried. scripts/test counts the lines.
# shellcheck source=../../scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/common.sh"

FAILED=0 PASSED=0

# test_begin NAME COMMAND...: needs the commands, root and the switch
test_begin() {
  begin "$1"
  shift
  [ "$(id -u)" = 0 ] || skip_all "root is needed for network namespaces and AF_PACKET"
  need ip ping iperf3 jq ss python3 "$@" || skip_all "a command is missing and apt-get could not bring it"
  need_root
  [ -n "${TEST_SWITCH:-}" ] || build_vxswitch
}
pass() { printf 'ok    %s\n' "$1"; PASSED=$((PASSED + 1)); }
fail() { printf 'FAIL  %s%s\n' "$1" "${2:+: $2}"; FAILED=$((FAILED + 1)); }
skip() { printf 'SKIP  %s: %s\n' "$1" "$2"; }
skip_all() { skip "$SCRIPT" "$1"; exit 77; }

# check NAME COMMAND...: passes if the command does. It runs in this shell, so that it may start and end switches.
check() {
  local name=$1
  shift
  if "$@" >"$DIR/out" 2>&1; then pass "$name"; else fail "$name" "$(said)"; fi
}
# check_not NAME COMMAND...: passes if the command fails
check_not() {
  local name=$1
  shift
  if "$@" >"$DIR/out" 2>&1; then fail "$name" "$(said)"; else pass "$name"; fi
}
said() { tail -c 300 "$DIR/out" | tr '\n' ' '; }
# check_equal NAME EXPECTED GOT
check_equal() { if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "expected $2, got $3"; fi; }

# test_end: the switches' logs if something failed, and the verdict
test_end() {
  local log
  if [ $FAILED -gt 0 ]; then
    for log in "$DIR"/*.log; do
      [ ! -s "$log" ] || { say "--- ${log##*/}"; tail -n 15 "$log"; }
    done
    exit 1
  fi
  [ $PASSED -gt 0 ] || exit 77
  exit 0
}

# check_tcp NAME FROM TO ADDRESS [LEAST MBIT] [IPERF3 OPTIONS...]
check_tcp() {
  local name=$1 from=$2 to=$3 addr=$4 least=${5:-100} rate
  shift 4
  [ $# -eq 0 ] || shift
  rate=$(tcp "$from" "$to" "$addr" 2 "$@")
  if [ "$rate" -ge "$least" ]; then pass "$name ($(gbit "$rate") Gbit/s)"; else fail "$name" "$rate Mbit/s, at least $least expected"; fi
}

# check_udp NAME FROM TO ADDRESS: datagrams of 1 to 8000 bytes there and back, every byte compared
check_udp() {
  spawn "$3" python3 "$REPO/tests/system/udp.py" serve "$4" 7007
  wait_for 3 udp_bound "$3" 7007 || true
  check "$1" on "$2" python3 "$REPO/tests/system/udp.py" check "$4" 7007
  end_pid "$SPAWNED" 1 || true
}
udp_bound() { on "$1" ss -Hlun "sport = :$2" | grep -q .; }

# frames HOST VERB ARGS...: the frame tool there
frames() {
  local host=$1
  shift
  on "$host" python3 "$REPO/tests/system/frames.py" "$@"
}

# flush_neighbours CONTAINER...: so that the next ping begins with a broadcast
flush_neighbours() {
  local c
  for c in "$@"; do in_ns "$c" neigh flush all 2>/dev/null || true; done
}

# matrix TITLE OURS THEIRS OUR_IP THEIR_IP OUR_IP6 THEIR_IP6 [BIG]: all that two containers should be able to do
# across a tunnel, in both directions; BIG: also pings of 8900 bytes
matrix() {
  local t=$1 a=$2 b=$3 a4=$4 b4=$5 a6=$6 b6=$7 big=${8:-} size
  flush_neighbours "$a" "$b"
  check "$t: ARP broadcast from us" pings "$a" "$b4" 2
  flush_neighbours "$a" "$b"
  check "$t: ARP broadcast to us" pings "$b" "$a4" 2
  flush_neighbours "$a" "$b"
  check "$t: IPv6 neighbour discovery from us" pings "$a" "$b6" 2
  flush_neighbours "$a" "$b"
  check "$t: IPv6 neighbour discovery to us" pings "$b" "$a6" 2
  for size in 56 1400 ${big:+8900}; do
    check "$t: ping $size bytes from us" pings "$a" "$b4" 5 -s "$size"
    check "$t: ping $size bytes to us" pings "$b" "$a4" 5 -s "$size"
  done
  check_tcp "$t: TCP from us" "$a" "$b" "$b4"
  check_tcp "$t: TCP to us" "$b" "$a" "$a4"
  check_tcp "$t: TCP over IPv6 from us" "$a" "$b" "$b6"
  check_tcp "$t: TCP over IPv6 to us" "$b" "$a" "$a6"
  check_udp "$t: UDP 1 to 8000 bytes from us and back" "$a" "$b" "$b4"
  check_udp "$t: UDP over IPv6, 1 to 8000 bytes, to us and back" "$b" "$a" "$a6"
}
