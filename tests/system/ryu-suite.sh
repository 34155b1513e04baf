#!/usr/bin/env bash
# Ryu's OpenFlow 1.3 switch suite, the 940 tests of actions, set_field and matches: every one passes but those that are wrong
# (scripts/conformance/wrong-tests.tsv). Groups and meters measure rates for a quarter of an hour: scripts/conformance/run.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ -z "${TEST_SWITCH:-}" ] || { echo "SKIP  ryu-suite: only of vxswitch"; exit 77; }
test_begin ryu-suite ovs-vsctl ovs-vswitchd ovsdb-server
RYU=$("$REPO/scripts/conformance/install-ryu" 2>"$DIR/install" | tail -n 1) || skip_all "$(tail -n 1 "$DIR/install")"
export RYU VXSWITCH
rc=0
"$REPO/scripts/conformance/run" --out "$DIR/results" --known "$REPO/scripts/conformance/wrong-tests.tsv" action match >"$DIR/run.log" 2>&1 || rc=$?
total=$(awk '$1 == "total" { print $2 " of " $4 }' "$DIR/run.log")
if [ "$rc" = 0 ] && [ -n "$total" ]; then pass "Ryu's switch suite: $total, the rest are tests that are wrong"; else fail "Ryu's switch suite" "$(tail -n 5 "$DIR/run.log")"; fi
test_end
