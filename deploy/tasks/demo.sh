#!/bin/bash
# The main job, end to end: a CUDA program runs in one process, its kernel in another; once through
# a private server on a unix socket, once through a server on a TCP port.
set -u
. "$(dirname "$0")/steps.sh"
bin=$root/build/release/bin
work=$root/build/demo
mkdir -p "$work"
server_pid=

stop_server() {
  [ -n "$server_pid" ] && kill "$server_pid" 2>/dev/null && wait "$server_pid" 2>/dev/null
  server_pid=
}
trap stop_server EXIT

find_nvcc() { command -v nvcc || { [ -x /usr/local/cuda/bin/nvcc ] && echo /usr/local/cuda/bin/nvcc; }; }

# Shows what a program printed, and ends the demo unless it said PASS and outboard said what it did.
run_program() {  # run_program LOG ARGUMENTS-OF-OUTBOARD-RUN...
  local log=$logs/$1.log status=0
  shift
  "$bin/outboard" run --stats "$@" >"$log" 2>&1 </dev/null || status=$?
  sed 's/^/      | /' "$log"
  [ "$status" -eq 0 ] || failed "the program ended with exit code $status"
  grep -qx PASS "$log" || failed "the program did not print PASS"
  grep -q "^libcuda in use: $root/build/release/lib/" "$log" || failed "the program did not use our libcuda"
  grep -q 'blocking round trip' "$log" || failed "outboard printed no summary"
}

# Starts a server on a TCP port of this machine that the system chooses; sets `address`.
start_server() {
  local ready=$work/ready
  rm -f "$ready" && mkfifo "$ready" || failed "mkfifo $ready"
  "$bin/outboard-server" --listen 127.0.0.1:0 --ready-fd 3 --exit-with-parent 3>"$ready" >"$logs/demo-server.log" 2>&1 </dev/null &
  server_pid=$!
  read -r -t 30 address <"$ready" || address=
  case $address in
    "") tail -n 10 "$logs/demo-server.log" | sed 's/^/      | /'; failed "the server did not start" ;;
    "error: "*) failed "$address" ;;
  esac
}

begin DEMO 6
step_setup
step_build release outboard outboard-server outboard-worker cuda_client cuda_softgpu demo_vector_add

nvcc=$(find_nvcc)
if [ -n "$nvcc" ]; then
  step "Compiling deploy/demo/vector_add.cu with nvcc (static CUDA runtime)" demo-nvcc \
    "$nvcc" -I. -o "$work/vector_add" deploy/demo/vector_add.cu
  program=$work/vector_add
else
  heading "There is no nvcc: taking the program that brings its kernel as PTX"
  program=$bin/demo_vector_add
fi

heading "Running it with a private server: outboard run --stats ${program#"$root"/}"
run_program demo-private "$program"

start_server
heading "Running it on a server behind TCP: outboard run --stats --server $address ${program#"$root"/}"
printf '      server: pid %s on %s\n' "$server_pid" "$address"
"$bin/outboard" devices --server "$address" 2>&1 | sed 's/^/      /'
run_program demo-tcp --server "$address" "$program"
stop_server
summary=$(grep '^outboard: .*blocking round trip' "$logs/demo-tcp.log" | tail -n 1)
printf '%s\n' "$summary"
passed
