#!/bin/bash
# tidy.sh [PATH...]: clang-tidy over the sources below PATH, with the dev preset's compile commands.
set -u
. "$(dirname "$0")/steps.sh"
. deploy/tasks/sources.sh
begin TIDY 4
step_setup clang
step_build dev outboard_generated
step "Running clang-tidy" tidy bash -c \
  '. deploy/tasks/sources.sh; cpp_sources "$@" | grep "\.cc$" | xargs -r -n 4 -P "$(nproc)" clang-tidy-19 -p build/dev --quiet' tidy "$@"
passed
