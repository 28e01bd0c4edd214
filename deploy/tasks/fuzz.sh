#!/bin/bash
# Builds the fuzz preset (clang, libFuzzer) and runs each target for FUZZ_SECONDS on its corpus.
# What a target finds lies in build/fuzz/findings; tests/fuzz/corpus/TARGET is what it starts from.
set -u
. "$(dirname "$0")/steps.sh"
seconds=${FUZZ_SECONDS:-60}
begin FUZZING 4
step_setup clang
step_build fuzz
heading "Fuzzing, $seconds s for each target"
shopt -s nullglob
targets=(build/fuzz/bin/fuzz_*)
[ ${#targets[@]} -gt 0 ] || failed "no fuzz target was built"
mkdir -p build/fuzz/findings
for target in "${targets[@]}"; do
  name=$(basename "$target")
  grown=build/fuzz/grown/$name
  mkdir -p "$grown"
  seeds=()
  [ -d "tests/fuzz/corpus/$name" ] && seeds=("tests/fuzz/corpus/$name")
  if run_logged "$name" "$target" -max_total_time="$seconds" -rss_limit_mb=2048 \
      -artifact_prefix="build/fuzz/findings/$name-" "$grown" "${seeds[@]}"; then
    printf '      %s: %s\n' "$name" "$(grep -o 'Done [0-9]* runs.*' "$logs/$name.log" | tail -n 1)"
  else
    tail -n 25 "$logs/$name.log" | sed 's/^/      | /'
    failed "$name found something: build/fuzz/findings"
  fi
done
passed "${#targets[@]} targets"
