#!/usr/bin/env bash
# Real Docker containers on the switch: attached by name, restarted, detached. The Docker daemon is one of the
# test's own, which touches no other's containers and none of the host's networks.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ "${TEST_SWITCH:-}" != kernel ] || { echo "SKIP  docker: the kernel's bridge has no command line"; exit 77; }
test_begin docker dockerd docker busybox tar nsenter unshare

ns host
export DOCKER_HOST=unix://$DIR/docker.sock
# In the switch's network namespace: what dockerd sets there (forwarding, say) goes with it. nsenter and not
# `ip netns exec`, which would hide the cgroups under /sys. And with mounts of its own: dockerd binds its containers'
# networks to files, and every mount namespace made meanwhile by others would keep them alive behind the containers' end.
unshare --mount --propagation private nsenter --net="/run/netns/$RUN-host" dockerd -H "$DOCKER_HOST" --iptables=false --ip-masq=false --bridge=none --storage-driver=vfs \
  --data-root="$DIR/docker" --exec-root="$DIR/docker.run" --pidfile="$DIR/docker.pid" \
  --containerd-namespace="$RUN" --containerd-plugins-namespace="$RUN-plugins" >"$DIR/dockerd.log" 2>&1 </dev/null &
DOCKERD=$!
at_exit "end_pid $DOCKERD 20"
at_exit "docker ps -aq | xargs -r docker rm -f"
docker_up() { docker version --format '{{.Server.Version}}'; }
wait_for 30 docker_up || {
  grep -oE 'level=(error|fatal).*|failed to.*' "$DIR/dockerd.log" | tail -n 1 >"$DIR/why" || true
  skip_all "dockerd does not run here: $(cut -c1-200 "$DIR/why")"
}

# an image of nothing but busybox
mkdir -p "$DIR/image/bin"
busybox_file=$(command -v busybox)
if ldd "$busybox_file" >/dev/null 2>&1; then skip_all "busybox is linked dynamically: busybox-static is needed"; fi
cp "$busybox_file" "$DIR/image/bin/busybox"
for applet in sh sleep ping ip; do ln -s busybox "$DIR/image/bin/$applet"; done
tar -C "$DIR/image" -c . | docker import - box >/dev/null
# container NAME: without any network, without privileges
box() { docker run -d --name "$RUN-$1" --network=none --init=false --stop-timeout=1 box sleep 3600; }
if ! box d1 >"$DIR/out" 2>&1; then skip_all "dockerd starts no containers here: $(said)"; fi
check "a second container" box d2

cat >"$DIR/host.toml" <<'END'
[[bridge]]
name = "br0"
END
switch_start host
# add CONTAINER ADDRESS MORE...: what an operator types
add() { vx host port add br0 eth1 --container "$RUN-$1" --ip "$2" "${@:3}"; }
check "port add for the first container" add d1 10.77.0.1/24 --mac 02:00:00:00:77:01 ofport=11
check "port add for the second" add d2 10.77.0.2/24 --mac 02:00:00:00:77:02 ofport=12
check_not "a container that does not exist is refused" vx host port add br0 eth1 --container "$RUN-d3"

# inside CONTAINER COMMAND...
inside() { docker exec "$RUN-$1" "${@:2}"; }
# reaches FROM ADDRESS: three pings from inside the container
reaches() { inside "$1" ping -q -c 3 -W 2 "$2" >"$DIR/ping" 2>&1 && grep -q '3 packets received' "$DIR/ping"; }
# port FIELD CONTAINER: of the port that leads into the container
port() { vx host show --json | jq -r --arg c "container '$RUN-$2'" '.bridges[].ports[] | select(.options.peer // "" | endswith($c)) | .'"$1"; }
# container_address CONTAINER: MAC and IPv4 address of its eth1
address() { inside "$1" ip addr show eth1 | awk '$1 == "link/ether" || $1 == "inet" { printf "%s ", $2 }'; }
check "container to container" reaches d1 10.77.0.2
check "and back" reaches d2 10.77.0.1
check_equal "port number as asked for" 12 "$(port ofport d2)"
check_equal "MAC and address as asked for" "02:00:00:00:77:02 10.77.0.2/24 " "$(address d2)"

# the test's own iperf3 runs in the containers' networks; a name for them would keep them alive behind the containers' end
tcp_between() {
  local c
  for c in d1 d2; do ip netns attach "$RUN-$c" "$(docker inspect -f '{{.State.Pid}}' "$RUN-$c")"; done
  check_tcp "$1" d1 d2 10.77.0.2 500
  for c in d1 d2; do ip netns del "$RUN-$c"; done
}
tcp_between "TCP between containers, offloads untouched"

check "docker restart" docker restart -t 1 "$RUN-d2"
check "the port comes back by itself" wait_for 10 reaches d1 10.77.0.2
check_equal "with the same port number" 12 "$(port ofport d2)"
check_equal "with the same MAC and address" "02:00:00:00:77:02 10.77.0.2/24 " "$(address d2)"
check "the other direction too" reaches d2 10.77.0.1
tcp_between "TCP after the restart"
check "docker stop" docker stop -t 1 "$RUN-d2"
sleep 1
check "the switch lives" switch_alive host
check_equal "the port stays, without its device" "missing" "$(port link d2)"
check "docker start" docker start "$RUN-d2"
check "it comes back once more" wait_for 10 reaches d2 10.77.0.1

device=$(port name d2)
check "port del" vx host port del br0 "$device"
check_not "its interface is gone from the container" inside d2 ip link show eth1
check_not "its other end is gone from the host" in_ns host link show "$device"
check_not "no answer any more" reaches d1 10.77.0.2
check "docker restart of one that was detached" docker restart -t 1 "$RUN-d2"
sleep 2
check_not "it does not come back" inside d2 ip link show eth1
check "SIGTERM ends the switch" switch_stop host
check_not "nothing is left in the other container" inside d1 ip link show eth1
check_equal "nothing is left on the host but lo" lo "$(in_ns host -br link show | awk '{ print $1 }' | tr '\n' ' ' | sed 's/ $//')"
test_end
