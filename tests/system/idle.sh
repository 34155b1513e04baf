#!/usr/bin/env bash
# A switch with a hundred ports and nothing to do uses under 0.5 % of a core and under 100 MB.
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=../../scripts/lib/idle.sh
source "$REPO/scripts/lib/idle.sh"
test_begin idle

idle_host
read -r cpu mb < <(idle_measure 10)
if awk -v c="$cpu" 'BEGIN { exit !(c < 0.5) }'; then pass "CPU with 100 ports: $cpu % of a core"; else fail "CPU with 100 ports" "$cpu % of a core"; fi
if awk -v m="$mb" 'BEGIN { exit !(m < 100) }'; then pass "memory with 100 ports: $mb MB"; else fail "memory with 100 ports" "$mb MB"; fi
test_end
