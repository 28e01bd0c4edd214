#!/bin/bash
# Reformats every C++ source in place with the clang-format of packages-clang.txt.
set -eu
cd "$(dirname "$0")/../.."
deploy/setup/setup.sh clang
. deploy/tasks/sources.sh
cpp_sources | xargs -r clang-format-19 -i
