#!/usr/bin/env bash
# scripts/lab as a test: its rows are the checks. Also --keep and --down.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
test_begin lab-test

"$REPO/scripts/lab" --keep >"$DIR/lab" 2>"$DIR/lab.err" || true
while IFS= read -r line; do
  case $line in
    *" ok") pass "$(sed 's/  */ /g; s/^ //; s/ ok$//' <<<"$line")" ;;
    *" FAILED") fail "$(sed 's/  */ /g; s/^ //; s/ FAILED$//' <<<"$line")" ;;
  esac
done <"$DIR/lab"
check "the lab ran to its end" grep -q 'scripts/lab --down' "$DIR/lab"
[ $FAILED = 0 ] || cat "$DIR/lab.err"
prefix=$(grep -o 'vxs-lab-[0-9]*' "$DIR/lab" | head -1)
check "--keep leaves it up" ip netns exec "${prefix:-none}-c5" ping -n -c 1 -W 1 192.188.1.16
check "--down removes it" "$REPO/scripts/lab" --down
check_equal "no namespace is left" "" "$(ip netns list | grep -F "${prefix:-none}-" || true)"
test_end
