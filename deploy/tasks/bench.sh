#!/bin/bash
# Builds the release preset and runs every program build/release/bin/bench_*, one after another.
set -u
. "$(dirname "$0")/steps.sh"
begin BENCHMARKS 4
step_setup
step_build release
heading "Measuring"
shopt -s nullglob
programs=(build/release/bin/bench_*)
[ ${#programs[@]} -gt 0 ] || failed "no benchmark was built"
for program in "${programs[@]}"; do
  printf '      %s\n' "$(basename "$program")"
  "$program" 2>&1 | tee "$logs/$(basename "$program").log" | sed 's/^/      /'
  [ "${PIPESTATUS[0]}" -eq 0 ] || failed "$(basename "$program")"
done
passed "${#programs[@]} programs; logs in build/logs"
