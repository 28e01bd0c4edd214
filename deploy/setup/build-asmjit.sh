#!/bin/sh
# Builds AsmJit, which the software device makes machine code with, as a position independent static
# archive, and prints the folder that holds include/ and lib/ on the last line of its output.
# Debian's own archive is for programs only (it reaches for stderr directly), and the software device
# is a shared library. Environment: CXX (default g++), OUTBOARD_ASMJIT_TARBALL (see source.sh).
set -eu

name=asmjit
version=20221210   # of Debian's asmjit package
sha256=c05b9b913f3be6f22d1452cfa6a7f87372090242cc9526685d02880277b7641f
pool_path=pool/main/a/asmjit/asmjit_0.0~git20221210.5b5b0b3.orig.tar.xz
tarball=${OUTBOARD_ASMJIT_TARBALL:-}
. "$(dirname "$0")/source.sh"

begin_build
fetch_source
source=$work/source/src
[ -d "$source/asmjit/x86" ] || die "the archive does not hold src/asmjit/x86."

# x86 and what it needs; about twenty seconds on two cores, once.
(cd "$source" && find asmjit/core asmjit/x86 -name '*.cpp' | sort) > "$work/units"
(cd "$source" && find asmjit -name '*.h' | tar -cf - -T -) | tar -xf - -C "$out/include"
mkdir "$work/objects"
say "compiling $(wc -l < "$work/units") files (once; cached in $target)"
export cxx source work
xargs -P "$(getconf _NPROCESSORS_ONLN)" -L 1 sh -c '
  "$cxx" -std=c++17 -O2 -DNDEBUG -DASMJIT_STATIC -DASMJIT_NO_FOREIGN -fPIC -fno-math-errno -fno-semantic-interposition \
    -fvisibility=hidden -fvisibility-inlines-hidden -pthread -w \
    -I"$source" -c "$source/$1" -o "$work/objects/$(echo "$1" | tr / _).o"' compile < "$work/units" >&2 ||
  die "a file did not compile (see above)."
ar rcs "$out/lib/libasmjit.a" "$work"/objects/*.o
finish_build
