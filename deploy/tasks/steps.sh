# Sourced by the tasks of the Makefile: numbered steps with elapsed time, a log file per noisy
# step, progress while one runs, and a verdict as the last line. Needs bash.
# Colours and rewriting lines only on a terminal; NO_COLOR is honoured.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
logs=$root/build/logs
mkdir -p "$logs"

on_terminal=no
[ -t 1 ] && [ "${TERM:-dumb}" != dumb ] && on_terminal=yes
bold= green= red= dim= plain=
if [ "$on_terminal" = yes ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' dim=$'\e[2m' plain=$'\e[0m'
fi

task_name=task    # named in the verdict: "DEMO"
step_number=0
step_total=0
task_started=$SECONDS
step_child=

begin() {  # begin NAME TOTAL-STEPS
  task_name=$1
  step_total=$2
  task_started=$SECONDS
}

elapsed() {  # elapsed SECONDS -> "7 s", "3 min 05 s"
  if [ "$1" -lt 60 ]; then printf '%d s' "$1"; else printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); fi
}

heading() { step_number=$((step_number + 1)); printf '%s[%d/%d]%s %s\n' "$bold" "$step_number" "$step_total" "$plain" "$1"; }

passed() { printf '%s%s PASSED%s (%s)%s\n' "$green$bold" "$task_name" "$plain" "$(elapsed $((SECONDS - task_started)))" "${1:+: $1}"; }

failed() {  # failed REASON: the last line, and the end
  printf '%s%s FAILED%s: %s (%s)\n' "$red$bold" "$task_name" "$plain" "$1" "$(elapsed $((SECONDS - task_started)))"
  exit 1
}

# Ends what a step left running when the task itself is interrupted.
interrupted() {
  trap '' INT TERM
  [ -n "$step_child" ] && kill -TERM -- "-$step_child" 2>/dev/null
  printf '\n'
  failed "interrupted in step $step_number"
}
trap interrupted INT TERM

# The last line of a log, cut to the width of a terminal; for ninja that is "[12/345] Building ...".
line_width=200
[ "$on_terminal" = yes ] && line_width=$(($(tput cols 2>/dev/null || echo 80) - 8))
last_line() { tail -n 1 "$1" 2>/dev/null | tr -d '\r' | cut -c "1-$line_width"; }

# Runs a command with its output in $logs/LOG.log; shows that it is alive while it runs.
run_logged() {  # run_logged LOG COMMAND...
  local log=$logs/$1.log started=$SECONDS beat=0 status=0
  shift
  set -m  # a process group of its own, so that an interrupt can end all of it
  "$@" >"$log" 2>&1 </dev/null &
  step_child=$!
  set +m
  while kill -0 "$step_child" 2>/dev/null; do
    sleep 0.2
    if [ "$on_terminal" = yes ]; then
      printf '\r\e[K      %s%s%s' "$dim" "$(last_line "$log")" "$plain"
    elif [ $((SECONDS - started)) -ge $((beat + 30)) ]; then
      beat=$((SECONDS - started))
      printf '      %s: %s\n' "$(elapsed $beat)" "$(last_line "$log")"
    fi
  done
  wait "$step_child" || status=$?
  step_child=
  [ "$on_terminal" = yes ] && printf '\r\e[K'
  return "$status"
}

step() {  # step TITLE LOG COMMAND...: one numbered, logged step; ends the task when it fails
  local title=$1 log=$2 started=$SECONDS
  shift 2
  heading "$title"
  if run_logged "$log" "$@"; then
    printf '      done in %s\n' "$(elapsed $((SECONDS - started)))"
  else
    printf '      %sfailed%s; the end of %s:\n' "$red" "$plain" "build/logs/$log.log"
    # Compiler errors stand well before the end of a parallel build's log.
    grep -n -m 5 -E '(error:|Error [0-9]|FAILED:)' "$logs/$log.log" | sed 's/^/      | /'
    tail -n 25 "$logs/$log.log" | sed 's/^/      | /'
    failed "$title"
  fi
}

# A short step whose few lines of output are worth showing.
step_shown() {  # step_shown TITLE COMMAND...
  local title=$1
  shift
  heading "$title"
  "$@" 2>&1 | sed 's/^/    /'
  [ "${PIPESTATUS[0]}" -eq 0 ] || failed "$title"
}

# Another clone of the same sources finds what this one compiled.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1

jobs_number=${OUTBOARD_JOBS:-$(getconf _NPROCESSORS_ONLN)}

# The three steps every task begins with: 1 packages, 2 configure, 3 compile.
step_setup() { step_shown "Installing what is missing" deploy/setup/setup.sh "$@"; }
step_build() {  # step_build PRESET [TARGET...]
  local preset=$1
  shift
  step "Configuring (preset $preset)" "configure-$preset" cmake --preset "$preset"
  if [ $# -gt 0 ]; then set -- --target "$@"; fi
  step "Compiling (preset $preset)" "build-$preset" cmake --build --preset "$preset" -j "$jobs_number" "$@"
}
