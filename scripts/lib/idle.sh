# Sourced: a host with a hundred ports where nothing happens. Needs common.sh.
# shellcheck shell=bash

# idle_host: namespace "idle" with 100 ports on one bridge, and a switch
idle_host() {
  local i
  ns idle
  ns idle-containers
  # quiet for good: no router solicitations, no MLD
  on idle sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
  on idle-containers sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
  printf '[[bridge]]\nname = "br0"\n' >"$DIR/idle.toml"
  for i in {1..100}; do
    echo "link add p$i type veth peer name p$i netns $RUN-idle-containers"
    echo "link set p$i up"
    printf '[[bridge.port]]\nname = "p%s"\n' "$i" >>"$DIR/idle.toml"
  done | ip -n "$RUN-idle" -batch -
  for i in {1..100}; do echo "link set p$i up"; done | ip -n "$RUN-idle-containers" -batch -
  switch_start idle
}

# cpu_ticks PID: user and system time so far, in clock ticks
cpu_ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }

# idle_measure SECONDS: prints "percent-of-a-core megabytes"
idle_measure() {
  local pid=${SWITCH_PID[idle]} before after
  sleep 1
  before=$(cpu_ticks "$pid")
  sleep "$1"
  after=$(cpu_ticks "$pid")
  awk -v t=$((after - before)) -v s="$1" -v hz="$(getconf CLK_TCK)" -v kb="$(awk '/VmRSS/ { print $2 }' "/proc/$pid/status")" \
    'BEGIN { printf "%.2f %.1f\n", 100 * t / hz / s, kb / 1024 }'
}
