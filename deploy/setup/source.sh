# Sourced by build-*.sh, which build a library from Debian's source because Debian's own archive of it
# cannot be linked into a shared library. Needs: name, version, sha256, pool_path (in Debian's pool),
# tarball (a copy of the source already here, or empty) and $0.
#
# begin_build    ends the script with the cached result if there is one; else makes $work and $out
# fetch_source   downloads and unpacks into $work
# finish_build   keeps $out as the result and prints its folder
#
# The source comes from the mirror that this machine's apt already uses, by apt's own downloader; its
# checksum is pinned. apt's configuration is read, never changed. Results are cached under
# ${XDG_CACHE_HOME:-~/.cache}/outboard; with a cache hit the script only prints.

say() { printf '%s: %s\n' "$name" "$*" >&2; }
die() { say "$*"; exit 1; }

begin_build() {
  self=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
  key=$( (cat "$self" "$(dirname "$self")/source.sh"; uname -m) | sha256sum | cut -c1-12)
  cache=${XDG_CACHE_HOME:-${HOME:?neither XDG_CACHE_HOME nor HOME is set}/.cache}/outboard
  target=$cache/$name-$version-$key
  if [ -f "$target/complete" ]; then
    echo "$target"
    exit 0
  fi
  cxx=${CXX:-g++}
  command -v "$cxx" >/dev/null || die "there is no compiler called $cxx; 'make setup' installs g++."
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/$name-build.XXXXXX")
  trap 'rm -rf "$work"' EXIT INT TERM
  out=$work/result
  mkdir -p "$out/lib" "$out/include"
}

# Addresses to try: every archive that this machine's apt uses for main, then Debian's own.
archives() {
  apt-get indextargets --format "\$(REPO_URI) \$(COMPONENT)" "Created-By: Packages" 2>/dev/null |
    awk '$2 == "main" && $1 !~ /security/ { print $1 }' | sort -u
  echo http://deb.debian.org/debian/
}

download() {
  if [ -n "$tarball" ]; then
    cp "$tarball" "$work/source.tar"
    return
  fi
  helper=/usr/lib/apt/apt-helper
  [ -x "$helper" ] || die "$helper is missing; fetch $(basename "$pool_path") by other means (see the top of $0)."
  for archive in $(archives); do
    say "fetching ${archive%/}/$pool_path"
    if "$helper" -qq download-file "${archive%/}/$pool_path" "$work/source.tar" "SHA256:$sha256" 2>"$work/fetch.log"; then
      return
    fi
  done
  cat "$work/fetch.log" >&2
  die "no archive of this machine's apt sources served $pool_path; is the network up?"
}

fetch_source() {
  download
  echo "$sha256  $work/source.tar" | sha256sum -c --quiet - >&2 || die "the source is not the one that is expected (SHA-256 differs)."
  mkdir "$work/source"
  tar -xf "$work/source.tar" -C "$work/source" --strip-components 1
}

finish_build() {
  : > "$out/complete"
  # Another build may have finished meanwhile; either result will do.
  mv -T "$out" "$target" 2>/dev/null || [ -f "$target/complete" ] || die "could not create $target."
  echo "$target"
}
