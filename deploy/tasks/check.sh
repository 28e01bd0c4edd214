#!/bin/bash
# The checks that need no build: include rules between folders, house style, formatting.
# Formatting is checked where clang-format 19 is installed (`make setup` does not bring it).
set -u
. "$(dirname "$0")/steps.sh"
. deploy/tasks/sources.sh
begin CHECKS 3
step "Include rules between folders" check-includes /usr/bin/python3 tests/architecture/include_rules.py
step "House style" check-style /usr/bin/python3 tests/architecture/house_style.py
if command -v clang-format-19 >/dev/null; then
  step "Formatting (make format mends it)" check-format bash -c \
    '. deploy/tasks/sources.sh; cpp_sources | xargs -r clang-format-19 --dry-run --Werror --ferror-limit=1'
else
  heading "Formatting"
  printf '      skipped: clang-format-19 is not installed (deploy/setup/setup.sh clang)\n'
fi
passed
