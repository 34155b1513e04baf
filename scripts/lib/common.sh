# Sourced by the scripts and the system tests: messages, packages, cleanup, namespaces, switches.
# shellcheck shell=bash
#
# Everything a script makes carries the prefix $RUN (its name and its pid), so that many can run
# beside each other. What was made last is removed first, on any exit: at_exit pushes a command.

set -euo pipefail
REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export LC_ALL=C

say() { printf '%s\n' "$*"; }
note() { printf '%s: %s\n' "${SCRIPT:-${0##*/}}" "$*" >&2; }
die() { note "$*"; exit 1; }

# ---- packages -------------------------------------------------------------------------------

# package_of COMMAND: the Debian package that brings the command
package_of() {
  case $1 in
    ip | tc | bridge | ss) echo iproute2 ;;
    ping) echo iputils-ping ;;
    ovs-vsctl | ovs-vswitchd | ovsdb-server | ovs-ofctl | ovs-appctl | ovs-dpctl) echo openvswitch-switch ;;
    busybox) echo busybox-static ;;
    modprobe | depmod) echo kmod ;;
    cc) echo gcc libc6-dev ;;
    dockerd | docker) echo docker.io ;;
    nsenter | unshare) echo util-linux ;;
    *) echo "$1" ;;
  esac
}

# need COMMAND...: installs what is missing; fails with a message if it cannot
need() {
  local c
  local -a missing=()
  for c in "$@"; do
    # a command may need two packages
    command -v "$c" >/dev/null || read -ra missing <<<"${missing[*]} $(package_of "$c")"
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  note "installing with apt-get: ${missing[*]}"
  # Debian starts a system-wide Open vSwitch on installation; these scripts bring their own
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy && made=1; fi
  local rc=0
  { DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" ||
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}"; }; } \
    >/dev/null 2>&1 </dev/null || rc=1
  [ -z "$made" ] || rm -f $policy
  [ $rc = 0 ] || { note "apt-get could not install ${missing[*]}"; return 1; }
}

need_root() {
  [ "$(id -u)" = 0 ] || die "needs root (network namespaces, AF_PACKET): run it with sudo"
  local probe=vxs-probe-$$
  ip netns add $probe 2>/dev/null || die "cannot make network namespaces here (CAP_SYS_ADMIN is missing)"
  ip netns del $probe
}

# ---- cleanup --------------------------------------------------------------------------------

AT_EXIT=()
at_exit() { AT_EXIT+=("$1"); }
cleanup() {
  local rc=$? i
  trap - EXIT
  trap '' INT TERM HUP
  set +e
  for ((i = ${#AT_EXIT[@]} - 1; i >= 0; i--)); do eval "${AT_EXIT[i]}" >/dev/null 2>&1; done
  exit "$rc"
}

# begin NAME: unique prefix, a folder of its own, and the traps
begin() {
  SCRIPT=$1
  RUN=${RUN:-vxs-$1-$$}
  DIR=${DIR:-$(mktemp -d "/tmp/$RUN.XXXXXX")}
  at_exit "rm -rf '$DIR'"
  trap cleanup EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

# end_pid PID [SECONDS]: asks a process that we started to end, then insists
end_pid() {
  local i
  kill "$1" 2>/dev/null || return 0
  for ((i = 0; i < ${2:-5} * 20; i++)); do
    kill -0 "$1" 2>/dev/null || { wait "$1" 2>/dev/null || true; return 0; }
    sleep 0.05
  done
  kill -KILL "$1" 2>/dev/null
  wait "$1" 2>/dev/null || true
  return 1
}

# wait_for SECONDS COMMAND...: until the command succeeds
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.05
  done
}

# ---- namespaces -----------------------------------------------------------------------------

# ns NAME: makes the namespace $RUN-NAME
ns() {
  ip netns add "$RUN-$1"
  at_exit "ns_del '$1'"
  ip -n "$RUN-$1" link set lo up
  # duplicate address detection would keep IPv6 addresses unusable for a second or two
  on "$1" sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0
}

# ns_del NAME: with whatever of ours still runs in it
ns_del() {
  local pid
  for pid in $(ip netns pids "$RUN-$1"); do kill -KILL "$pid" || true; done
  ip netns del "$RUN-$1"
}

# spawn NAME COMMAND...: in the background and silently; SPAWNED is its pid
spawn() {
  local n=$1
  shift
  ip netns exec "$RUN-$n" "$@" >/dev/null 2>&1 </dev/null &
  SPAWNED=$!
}

# on NAME COMMAND...: runs the command there
on() {
  local n=$1
  shift
  ip netns exec "$RUN-$n" "$@"
}

# in_ns NAME ARGS...: ip -n
in_ns() {
  local n=$1
  shift
  ip -n "$RUN-$n" "$@"
}

# wire NS1 IF1 NS2 IF2 [MTU]: a veth pair, both ends up
wire() {
  ip link add "$2" netns "$RUN-$1" mtu "${5:-1500}" type veth peer name "$4" netns "$RUN-$3" mtu "${5:-1500}"
  in_ns "$1" link set "$2" up
  in_ns "$3" link set "$4" up
}

# container NAME HOST PORT ADDRESS/LEN [MAC] [MTU] [IPV6/LEN]: a namespace with eth1, whose other
# end is PORT in HOST. Offloads stay as the kernel makes them.
container() {
  local mac=${5:-}
  ns "$1"
  ip link add "$3" netns "$RUN-$2" mtu "${6:-1500}" type veth \
    peer name eth1 ${mac:+address "$mac"} netns "$RUN-$1" mtu "${6:-1500}"
  in_ns "$1" addr add "$4" dev eth1
  [ -z "${7:-}" ] || in_ns "$1" addr add "$7" dev eth1 nodad
  in_ns "$1" link set eth1 up
  in_ns "$2" link set "$3" up
}

# ---- vxswitch -------------------------------------------------------------------------------

declare -A SWITCH_PID=()

# binary of the release build; VXSWITCH names another one
vxswitch_bin() {
  if [ -n "${VXSWITCH:-}" ]; then echo "$VXSWITCH"; else echo "${CARGO_TARGET_DIR:-$REPO/target}/release/vxswitch"; fi
}

build_vxswitch() {
  [ -z "${VXSWITCH:-}" ] || return 0
  need cc
  command -v cargo >/dev/null || die "cargo is not in PATH: install Rust (https://rustup.rs), or name a binary by VXSWITCH=FILE"
  (cd "$REPO" && cargo build --release --locked --quiet --bin vxswitch) || die "cargo build failed"
}

# switch_start HOST [SECONDS]: runs the switch on $DIR/HOST.toml in namespace HOST until it is ready
switch_start() {
  local host=$1 log=$DIR/$1.log
  local -a command=("$(vxswitch_bin)" run -c "$DIR/$host.toml")
  # TEST_SWITCH=kernel puts the kernel's own bridge in the switch's place, which checks the tests
  [ "${TEST_SWITCH:-}" != kernel ] || command=(python3 "$REPO/tests/system/reference.py" "$DIR/$host.toml")
  mkdir -p "$DIR/$host.run"
  : >"$log"
  # a switch that outlives its script (KEEP) must also outlive the terminal: a session of its own
  VXSWITCH_RUNDIR=$DIR/$host.run ${KEEP:+setsid} ip netns exec "$RUN-$host" "${command[@]}" >>"$log" 2>&1 </dev/null &
  SWITCH_PID[$host]=$!
  at_exit "switch_stop '$host'"
  local end=$((SECONDS + ${2:-15}))
  until grep -q '^vxswitch: ready' "$log"; do
    if ! kill -0 "${SWITCH_PID[$host]}" 2>/dev/null; then
      note "vxswitch of $host ended at once:"; tail -20 "$log" >&2; return 1
    fi
    [ $SECONDS -lt $end ] || { note "vxswitch of $host is not ready:"; tail -20 "$log" >&2; return 1; }
    sleep 0.02
  done
}

# switch_stop HOST: SIGTERM; fails if the switch had to be killed
switch_stop() {
  local pid=${SWITCH_PID[$1]:-}
  [ -n "$pid" ] || return 0
  unset "SWITCH_PID[$1]"
  end_pid "$pid" 5
}

# switch_kill HOST: SIGKILL, as a crash would
switch_kill() {
  local pid=${SWITCH_PID[$1]}
  unset "SWITCH_PID[$1]"
  kill -KILL "$pid"
  wait "$pid" 2>/dev/null || true
}

switch_alive() { kill -0 "${SWITCH_PID[$1]:-0}" 2>/dev/null; }

# vx HOST VERB...: the command line of that host's switch
vx() {
  local host=$1
  shift
  VXSWITCH_RUNDIR=$DIR/$host.run ip netns exec "$RUN-$host" "$(vxswitch_bin)" "$@"
}

# ---- Open vSwitch, userspace datapath -------------------------------------------------------

# ovs_start HOST [tso]: a database and a daemon of its own in namespace HOST
ovs_start() {
  local host=$1 d=$DIR/$1.ovs p
  rm -rf "$d"
  mkdir -p "$d"
  ovsdb-tool create "$d/conf.db" /usr/share/openvswitch/vswitch.ovsschema
  local -a env=(env OVS_RUNDIR="$d" OVS_LOGDIR="$d" OVS_DBDIR="$d" OVS_SYSCONFDIR="$d")
  on "$host" "${env[@]}" ovsdb-server -vconsole:off "$d/conf.db" --remote=punix:"$d/db.sock" --pidfile="$d/ovsdb-server.pid" \
    --log-file="$d/ovsdb-server.log" --unixctl="$d/ovsdb-server.ctl" --detach --no-chdir
  at_exit "ovs_stop '$host'"
  vsctl "$host" --no-wait init
  if [ "${2:-}" = tso ]; then vsctl "$host" --no-wait set Open_vSwitch . other_config:userspace-tso-enable=true; fi
  ovs_daemon "$host"
  for p in ovs-vswitchd ovsdb-server; do wait_for 5 test -s "$d/$p.pid"; done
}
# ovs_daemon HOST: the daemon alone, on the database that is there
ovs_daemon() {
  local d=$DIR/$1.ovs
  on "$1" env OVS_RUNDIR="$d" OVS_LOGDIR="$d" OVS_DBDIR="$d" OVS_SYSCONFDIR="$d" ovs-vswitchd -vconsole:off "unix:$d/db.sock" \
    --pidfile="$d/ovs-vswitchd.pid" --log-file="$d/ovs-vswitchd.log" --unixctl="$d/ovs-vswitchd.ctl" --detach --no-chdir
}
ovs_pid() { cat "$DIR/$1.ovs/ovs-vswitchd.pid"; }
ovs_stop() {
  local p
  for p in ovs-vswitchd ovsdb-server; do
    [ -s "$DIR/$1.ovs/$p.pid" ] || continue
    end_pid "$(cat "$DIR/$1.ovs/$p.pid")" 5 || true
    rm -f "$DIR/$1.ovs/$p.pid"
  done
}
vsctl() {
  local host=$1
  shift
  OVS_RUNDIR=$DIR/$host.ovs ovs-vsctl --timeout=20 --db="unix:$DIR/$host.ovs/db.sock" "$@"
}
ovs_appctl() {
  local host=$1
  shift
  OVS_RUNDIR=$DIR/$host.ovs ovs-appctl -t "$DIR/$host.ovs/ovs-vswitchd.ctl" "$@"
}

# ---- traffic --------------------------------------------------------------------------------

# pings FROM ADDRESS [COUNT] [PING OPTIONS...]: true if every one was answered
pings() {
  local from=$1 to=$2 count=${3:-3} out
  shift 2
  [ $# -eq 0 ] || shift
  out=$(on "$from" ping -n -q -c "$count" -i 0.05 -W 1 "$@" "$to" 2>&1) || return 1
  [[ $out == *" $count received"* && $out != *duplicates* ]]
}

# tcp FROM TO ADDRESS [SECONDS] [IPERF3 OPTIONS...]: prints Mbit/s received; 0 if nothing passed
tcp() {
  local from=$1 to=$2 addr=$3 secs=${4:-2} out=
  shift 3
  [ $# -eq 0 ] || shift
  spawn "$to" iperf3 -s -1
  wait_for 3 listening "$to" 5201 || true
  out=$(on "$from" timeout $((secs + 8)) iperf3 -c "$addr" -t "$secs" -J --connect-timeout 3000 "$@" 2>/dev/null) || true
  end_pid "$SPAWNED" 1 || true
  jq -r '(.end.sum_received.bits_per_second // 0) / 1e6 | floor' <<<"$out" 2>/dev/null || echo 0
}
listening() { on "$1" ss -Hltn "sport = :$2" | grep -q .; }

# gbit MBIT: as Gbit/s with two digits
gbit() { awk -v m="$1" 'BEGIN { printf "%.2f", m / 1000 }'; }
