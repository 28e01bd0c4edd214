#!/bin/sh
# Installs llama.cpp with its prebuilt CUDA backend, as npm distributes it (node-llama-cpp), for
# tests/realprograms: 265 MB under ${XDG_CACHE_HOME:-~/.cache}/outboard, versions and checksums as in
# llama/package-lock.json, no scripts of packages run. Prints the folder on the last line.
# Nothing is installed, and it is said why, where node 20 or npm is missing: the test skips then.
set -eu

here=$(cd "$(dirname "$0")" && pwd)/llama
key=$(sha256sum < "$here/package-lock.json" | cut -c1-12)
cache=${XDG_CACHE_HOME:-${HOME:?neither XDG_CACHE_HOME nor HOME is set}/.cache}/outboard
target=$cache/llama-$key

say() { printf 'llama: %s\n' "$*" >&2; }

if [ -d "$target" ]; then
  echo "$target"
  exit 0
fi
major=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\).*/\1/p')
if [ "${major:-0}" -lt 20 ] || ! command -v npm >/dev/null; then
  echo "not installed: it needs npm and node 20 or newer, and this machine has ${major:+node }${major:-no node}"
  exit 0
fi
mkdir -p "$cache"
work=$(mktemp -d "$cache/llama-install.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM
cp "$here/package.json" "$here/package-lock.json" "$work"
say "fetching (once; kept in $target)"
# --omit=optional: otherwise the packages for other GPUs come along.
(cd "$work" && npm install --omit=optional --ignore-scripts --no-audit --no-fund) >&2
# Another setup may have finished meanwhile; either result will do.
mv -T "$work" "$target" 2>/dev/null || [ -d "$target" ]
echo "$target"
