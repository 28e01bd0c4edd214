#!/bin/bash
# build.sh PRESET: installs what is missing, configures and compiles.
set -u
. "$(dirname "$0")/steps.sh"
preset=${1:-release}
begin BUILD 3
step_setup
step_build "$preset"
passed "programs in build/$preset/bin, libraries in build/$preset/lib"
