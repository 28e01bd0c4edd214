#!/bin/sh
# Builds the part of Cap'n Proto that Outboard links (capnp and kj, without rpc, async and the
# schema compiler) as position independent static archives, and prints the folder that holds
# include/ and lib/ on the last line of its output. Debian's own archives are not position
# independent (thread-local variables in exception.o), and a shared libcapnp inside libcuda.so.1
# would meet the application's own.
#
# The source is Debian's, from the mirror that this machine's apt already uses, by apt's own
# downloader; its checksum is pinned here. apt's configuration is read, never changed.
# Results are cached under ${XDG_CACHE_HOME:-~/.cache}/outboard; with a cache hit the script only
# prints. Environment: CXX (default g++), OUTBOARD_CAPNP_TARBALL (a copy of the source already
# here, for machines without a network).
set -eu

version=0.9.2   # of Debian's capnproto package, whose schema compiler the build runs
sha256=4031e9c9158fce1979baf3c5234315c1be74b273c0be9f6c4aaf4d0dfda52542
pool_path=pool/main/c/capnproto/capnproto_${version}.orig.tar.gz

kj_sources="common units memory refcount array list string string-tree source-location hash
            table exception debug arena io mutex thread encoding"
capnp_sources="c++.capnp blob arena layout list any message schema.capnp stream.capnp serialize"

say() { printf 'capnp: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

self=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
key=$( (cat "$self"; uname -m) | sha256sum | cut -c1-12)
cache=${XDG_CACHE_HOME:-${HOME:?neither XDG_CACHE_HOME nor HOME is set}/.cache}/outboard
target=$cache/capnp-$version-$key
if [ -f "$target/complete" ]; then
  echo "$target"
  exit 0
fi

cxx=${CXX:-g++}
command -v "$cxx" >/dev/null || die "there is no compiler called $cxx; 'make setup' installs g++."
mkdir -p "$cache"
work=$(mktemp -d "$cache/capnp-build.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM

# Addresses to try: every archive that this machine's apt uses for main, then Debian's own.
archives() {
  apt-get indextargets --format "\$(REPO_URI) \$(COMPONENT)" "Created-By: Packages" 2>/dev/null |
    awk '$2 == "main" && $1 !~ /security/ { print $1 }' | sort -u
  echo http://deb.debian.org/debian/
}

fetch() {
  if [ -n "${OUTBOARD_CAPNP_TARBALL:-}" ]; then
    cp "$OUTBOARD_CAPNP_TARBALL" "$work/source.tar.gz"
    return
  fi
  helper=/usr/lib/apt/apt-helper
  [ -x "$helper" ] || die "$helper is missing; set OUTBOARD_CAPNP_TARBALL to a copy of capnproto_$version.orig.tar.gz."
  for archive in $(archives); do
    say "fetching ${archive%/}/$pool_path"
    if "$helper" -qq download-file "${archive%/}/$pool_path" "$work/source.tar.gz" "SHA256:$sha256" 2>"$work/fetch.log"; then
      return
    fi
  done
  cat "$work/fetch.log" >&2
  die "no archive of this machine's apt sources served $pool_path; is the network up?"
}

fetch
echo "$sha256  $work/source.tar.gz" | sha256sum -c --quiet - >&2 || die "the source is not the one that is expected (SHA-256 differs)."
tar -xzf "$work/source.tar.gz" -C "$work"
source=$(echo "$work"/*/src)
[ -d "$source/capnp" ] || die "the archive does not hold src/capnp."

# One line per translation unit; about ten seconds on two cores, once.
out=$work/result
mkdir -p "$out/lib" "$out/include/kj" "$out/include/capnp" "$work/kj" "$work/capnp"
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
: > "$out/complete"

# Another build may have finished meanwhile; either result will do.
mv -T "$out" "$target" 2>/dev/null || [ -f "$target/complete" ] || die "could not create $target."
echo "$target"
