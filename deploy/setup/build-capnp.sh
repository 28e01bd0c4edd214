#!/bin/sh
# Builds the part of Cap'n Proto that Outboard links (capnp and kj, without rpc, async and the
# schema compiler) as position independent static archives, and prints the folder that holds
# include/ and lib/ on the last line of its output. Debian's own archives are not position
# independent (thread-local variables in exception.o), and a shared libcapnp inside libcuda.so.1
# would meet the application's own.
# Environment: CXX (default g++), OUTBOARD_CAPNP_TARBALL (see source.sh).
set -eu

name=capnp
version=0.9.2   # of Debian's capnproto package, whose schema compiler the build runs
sha256=4031e9c9158fce1979baf3c5234315c1be74b273c0be9f6c4aaf4d0dfda52542
pool_path=pool/main/c/capnproto/capnproto_${version}.orig.tar.gz
tarball=${OUTBOARD_CAPNP_TARBALL:-}
. "$(dirname "$0")/source.sh"

kj_sources="common units memory refcount array list string string-tree source-location hash
            table exception debug arena io mutex thread encoding"
capnp_sources="c++.capnp blob arena layout list any message schema.capnp stream.capnp serialize"

begin_build
fetch_source
source=$work/source/src
[ -d "$source/capnp" ] || die "the archive does not hold src/capnp."

# One line per translation unit; about ten seconds on two cores, once.
mkdir -p "$out/include/kj" "$out/include/capnp" "$work/kj" "$work/capnp"
{
  for unit in $kj_sources; do echo "kj $unit"; done
  for unit in $capnp_sources; do echo "capnp $unit"; done
} > "$work/units"
cp "$source"/kj/*.h "$out/include/kj/"
# This version leaves comparisons with a literal on the left to C++20's rewriting of operators, which
# compilers refuse since P2468 (clang 16, gcc 13). The functions it has for C++17 serve both.
sed -i 's/^#if !__cpp_impl_three_way_comparison$/#if 1/' "$out/include/kj/string.h"
cp "$source"/capnp/*.h "$source"/capnp/c++.capnp "$out/include/capnp/"
say "compiling $(wc -l < "$work/units") files (once; cached in $target)"
export cxx source work
xargs -P "$(getconf _NPROCESSORS_ONLN)" -L 1 sh -c '
  "$cxx" -std=c++17 -O2 -DNDEBUG -DCAPNP_LITE=1 -fPIC -ftls-model=global-dynamic \
    -fvisibility=hidden -fvisibility-inlines-hidden -pthread -w \
    -I"$source" -c "$source/$1/$2.c++" -o "$work/$1/$2.o"' compile < "$work/units" >&2 ||
  die "a file did not compile (see above)."
ar rcs "$out/lib/libkj.a" "$work"/kj/*.o
ar rcs "$out/lib/libcapnp.a" "$work"/capnp/*.o
finish_build
