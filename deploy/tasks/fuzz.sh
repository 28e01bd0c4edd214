#!/bin/bash
# Builds the fuzz preset (clang, libFuzzer) and runs each target for FUZZ_SECONDS on its corpus, or
# FUZZ_RUNS times if that is set; FUZZ_TARGETS (frame, ptx, ...) names those to run (default: all).
# What a target finds lies in build/fuzz/findings; tests/fuzz/corpus/TARGET is what it starts from.
set -u
. "$(dirname "$0")/steps.sh"
seconds=${FUZZ_SECONDS:-60}
limit=(-max_total_time="$seconds")
limit_text="$seconds s"
if [ -n "${FUZZ_RUNS:-}" ]; then
  limit=(-runs="$FUZZ_RUNS")
  limit_text="$FUZZ_RUNS runs"
fi
begin FUZZING 4
step_setup clang
chosen=()
for name in ${FUZZ_TARGETS:-}; do chosen+=("fuzz_$name"); done
step_build fuzz "${chosen[@]}"
heading "Fuzzing, $limit_text for each target"
# Stacks of allocations and poisoned frames after return cost most of the speed.
export ASAN_OPTIONS=malloc_context_size=0:detect_stack_use_after_return=0:quarantine_size_mb=16
shopt -s nullglob
targets=(build/fuzz/bin/fuzz_*)
[ ${#chosen[@]} -eq 0 ] || targets=("${chosen[@]/#/build/fuzz/bin/}")
[ ${#targets[@]} -gt 0 ] || failed "no fuzz target was built"
mkdir -p build/fuzz/findings
for target in "${targets[@]}"; do
  name=$(basename "$target")
  grown=build/fuzz/grown/$name
  mkdir -p "$grown"
  seeds=()
  [ -d "tests/fuzz/corpus/$name" ] && seeds=("tests/fuzz/corpus/$name")
  options=(-max_len=4096 -timeout=10)
  # Longer texts only repeat what short ones do, several times slower.
  [ "$name" = fuzz_ptx ] && options=(-max_len=1024 -timeout=10)
  dictionary=tests/fuzz/dictionaries/$name.dict
  [ -f "$dictionary" ] && options+=(-dict="$dictionary")
  if run_logged "$name" "$target" "${limit[@]}" "${options[@]}" -rss_limit_mb=2048 \
      -artifact_prefix="build/fuzz/findings/$name-" "$grown" "${seeds[@]}"; then
    printf '      %s: %s\n' "$name" "$(grep -o 'Done [0-9]* runs.*' "$logs/$name.log" | tail -n 1)"
  else
    tail -n 25 "$logs/$name.log" | sed 's/^/      | /'
    failed "$name found something: build/fuzz/findings"
  fi
done
passed "${#targets[@]} targets"
