#!/usr/bin/env bash
# The reference set-up's second scenario under a real controller: two hosts with five containers each, VXLAN key 100, and Ryu with the
# published application (chain/chain.py) and ofctl_rest. The same flows and the same pings as on Open vSwitch; the controller and a switch
# killed and started again; every request of ofctl_rest.
#
# TEST_SWITCH=ovs puts Open vSwitch in the switch's place, which checks the test.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ "${TEST_SWITCH:-}" != kernel ] || { echo "SKIP  chain: the kernel's bridge knows no controller"; exit 77; }
if [ "${TEST_SWITCH:-}" = ovs ]; then test_begin chain ovs-vsctl ovs-vswitchd ovsdb-server ethtool; else test_begin chain; fi
RYU=$("$REPO/scripts/conformance/install-ryu" 2>"$DIR/install" | tail -n 1) || skip_all "$(tail -n 1 "$DIR/install")"
tool=$REPO/tests/system/chain
url=http://127.0.0.1:8080

declare -A bridge=([A]=myswitch_1 [B]=myswitch_2) remote=([A]=192.168.2.37 [B]=192.168.2.44) first=([A]=1 [B]=6)
declare -A underlay=([A]=192.168.2.44/24 [B]=192.168.2.37/24)
mtu=1500
# Open vSwitch's userspace datapath forwards unfinished checksums, and loses what does not fit the underlay
[ "${TEST_SWITCH:-}" != ovs ] || mtu=1450
for h in A B; do ns $h; done
wire A underlay B underlay
for k in {1..10}; do
  h=A
  [ "$k" -le 5 ] || h=B
  container c$k $h p$k 192.188.1.1$k/16 "00:00:00:00:00:$(printf %02x "$k")" $mtu
done

# ---- the switches ---------------------------------------------------------------------------

# up HOST: five containers as ports 1 to 5 and the tunnel as port 6, by their order alone; the controller on host A; no fail mode
up() {
  local h=$1 k
  if [ "${TEST_SWITCH:-}" = ovs ]; then
    ovs_start "$h"
    on "$h" ethtool -K underlay tx off >/dev/null
    # its userspace datapath finds remote hosts only through a bridge that holds the underlay's address
    vsctl "$h" add-br br-phy -- set bridge br-phy datapath_type=netdev -- add-port br-phy underlay
    vsctl "$h" add-br "${bridge[$h]}" -- set bridge "${bridge[$h]}" datapath_type=netdev
    for ((k = first[$h]; k < first[$h] + 5; k++)); do
      on c$k ethtool -K eth1 tx off >/dev/null
      vsctl "$h" add-port "${bridge[$h]}" p$k
    done
    vsctl "$h" add-port "${bridge[$h]}" vxlan0 -- set interface vxlan0 type=vxlan options:remote_ip="${remote[$h]}" options:key=100
    vsctl "$h" set-controller "${bridge[$h]}" tcp:192.168.2.44:6633
    in_ns "$h" addr add "${underlay[$h]}" dev br-phy
    in_ns "$h" link set br-phy up
  else
    in_ns "$h" addr replace "${underlay[$h]}" dev underlay
    {
      printf '[[bridge]]\nname = "%s"\ncontroller = ["tcp:192.168.2.44:6633"]\n' "${bridge[$h]}"
      for ((k = first[$h]; k < first[$h] + 5; k++)); do printf '\n[[bridge.port]]\nname = "p%d"\n' $k; done
      printf '\n[[bridge.port]]\nname = "vxlan0"\ntype = "vxlan"\nremote_ip = "%s"\nkey = 100\n' "${remote[$h]}"
    } >"$DIR/$h.toml"
    switch_start "$h" || return 1
  fi
  local_up "$h"
}
# local_up HOST: the bridge's own port, as the document has it on both hosts
local_up() {
  in_ns "$1" addr replace 192.188.1.1/16 dev "${bridge[$1]}"
  in_ns "$1" link set "${bridge[$1]}" up
}
# again HOST: the switch as a crash ends it, and its next start
again() {
  if [ "${TEST_SWITCH:-}" = ovs ]; then
    kill -KILL "$(ovs_pid "$1")"
    sleep 0.2
    ovs_daemon "$1"
    in_ns "$1" addr replace "${underlay[$1]}" dev br-phy
    in_ns "$1" link set br-phy up
  else
    switch_kill "$1"
    switch_start "$1" || return 1
  fi
  local_up "$1"
}

# ---- the controller -------------------------------------------------------------------------

controller_start() {
  # not by `on`: the process that is killed must be Ryu itself
  ip netns exec "$RUN-A" "$RYU/bin/ryu-manager" --ofp-listen-host 0.0.0.0 --ofp-tcp-listen-port 6633 --wsapi-host 127.0.0.1 --wsapi-port 8080 \
    ryu.app.ofctl_rest "$tool/chain.py" >"$DIR/ryu.log" 2>&1 </dev/null &
  RYU_PID=$!
}
rest() { on A python3 "$tool/rest.py" "$@"; }
# flows_are SECONDS: the application's, on both switches; says what differs if they do not become so
flows_are() { wait_for "$1" rest flows $url "$DIR/ryu.log" || rest flows $url "$DIR/ryu.log"; }
dpid() { rest dpid "$DIR/ryu.log" "${bridge[$1]}"; }

# ---- what passes and what does not ----------------------------------------------------------

# ping_matrix TITLE: neighbours in the chain answer, c5 and c6 across the tunnel among them, and nobody else
ping_matrix() {
  local t=$1 k to
  flush_neighbours c{1..10}
  for k in {1..9}; do check "$t: c$k reaches c$((k + 1))" pings c$k 192.188.1.1$((k + 1)); done
  check "$t: c6 reaches c5" pings c6 192.188.1.15
  check "$t: c10 reaches c9" pings c10 192.188.1.19
  for to in 1:13 1:110 4:16 5:17 10:11; do
    check_not "$t: c${to%:*} does not reach c${to#*:1}" pings "c${to%:*}" "192.188.1.${to#*:}" 1
  done
  check_not "$t: c1 does not reach LOCAL" pings c1 192.188.1.1 1
}
unreached() { ! pings "$@"; }

check "the switch of host A" up A
check "the switch of host B" up B
controller_start
at_exit "end_pid \$RYU_PID"
check "the application lays its flows, and only those, on both switches" flows_are 30
ping_matrix "controller"
if [ "${TEST_SWITCH:-}" = ovs ]; then
  check_tcp "TCP from c5 to c6" c5 c6 192.188.1.16 50
else
  check_tcp "TCP from c5 to c6, offloads as the kernel makes them" c5 c6 192.188.1.16 500
fi

# every request, one line each
dpid_a=$(dpid A)
rest every $url "$dpid_a" >"$DIR/every" 2>&1 || fail "ofctl_rest: the tool ended early" "$(tail -n 1 "$DIR/every")"
while IFS= read -r line; do
  case $line in
    'ok    '*) pass "ofctl_rest: ${line#ok    }" ;;
    'FAIL  '*) fail "ofctl_rest: ${line#FAIL  }" ;;
  esac
done <"$DIR/every"
check "afterwards the flows are as before" flows_are 5

# the controller dies: what it said goes on, until standalone (no fail mode is set) takes over after three missed probes
check "a flow that would show if any were lost" rest mark $url "$dpid_a"
check "it is there" wait_for 3 rest marked $url "$dpid_a"
kill -KILL $RYU_PID
wait $RYU_PID 2>/dev/null || true
check "controller gone: c1 reaches c2" pings c1 192.188.1.12
check "controller gone: c5 reaches c6" pings c5 192.188.1.16
check_not "controller gone: c1 does not reach c3 yet" pings c1 192.188.1.13 1
check "standalone takes over: c1 reaches c3" wait_for 40 pings c1 192.188.1.13 1
check "standalone: c1 reaches c10 across the tunnel" wait_for 10 pings c1 192.188.1.110 1
check "standalone: c7 reaches c5" pings c7 192.188.1.15
check "standalone: c1 reaches LOCAL" wait_for 5 pings c1 192.188.1.1 1

controller_start
# Open vSwitch flushes its tables when standalone takes over; vxswitch keeps them
if [ "${TEST_SWITCH:-}" != ovs ]; then check "the controller is back: no flow was lost meanwhile" wait_for 40 rest marked $url "$dpid_a"; fi
check "the controller is back" wait_for 40 rest unmark $url "$dpid_a"
check "the flows are the application's again" flows_are 30
check "standalone ends" wait_for 10 unreached c1 192.188.1.13 1
ping_matrix "controller back"

# a switch dies and starts again
check "host B's switch starts again after SIGKILL" again B
check "it gets its flows again" flows_are 30
check "the chain is whole again" wait_for 10 pings c5 192.188.1.16 1
ping_matrix "switch back"
if [ "${TEST_SWITCH:-}" != ovs ]; then
  for h in A B; do check "SIGTERM ends the switch of host $h" switch_stop $h; done
fi
test_end
