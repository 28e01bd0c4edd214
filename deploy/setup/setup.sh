#!/bin/sh
# Installs what Outboard needs and this machine lacks: the Debian packages of packages.txt (and of
# any other list named on the command line), then Cap'n Proto and AsmJit as position independent
# archives.
# Where nothing is missing it asks apt nothing and ends in well under a second.
#
#   setup.sh            what building and testing need
#   setup.sh clang      also packages-clang.txt (fuzzing, formatting)
#   setup.sh programs   also packages-programs.txt and llama.cpp (programs of others that tests try)
#
# Needs root or sudo only when a package is missing. Noisy steps write to build/logs.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
logs=$root/build/logs
mkdir -p "$logs"

say() { printf '  %s\n' "$*"; }
die() { printf '  setup failed: %s\n' "$*" >&2; exit 1; }

# Package names of a list: comments and blanks removed.
names() { sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$1"; }

lists=$here/packages.txt
programs=
for extra in "$@"; do
  [ "$extra" = programs ] && programs=yes
  [ -f "$here/packages-$extra.txt" ] || die "there is no list $here/packages-$extra.txt."
  lists="$lists $here/packages-$extra.txt"
done

wanted=$(for list in $lists; do names "$list"; done)
if ! command -v dpkg-query >/dev/null; then
  die "this is not a Debian system (no dpkg-query). Install these by other means: $(echo $wanted)"
fi

# One dpkg-query for all names; packages it has never heard of are missing too.
installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $wanted 2>/dev/null | sed -n 's/^installed //p' || true)
missing=
for name in $wanted; do
  printf '%s\n' "$installed" | grep -qxF "$name" || missing="$missing $name"
done

if [ -z "$missing" ]; then
  say "packages: all $(echo "$wanted" | wc -l) are installed"
else
  as_root=
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "these packages are missing and only root can install them (there is no sudo):$missing"
    as_root="sudo"
  fi
  say "packages: installing$missing"
  export DEBIAN_FRONTEND=noninteractive
  apt="apt-get -y -q --no-install-recommends -o Dpkg::Use-Pty=0"
  # The package lists on this machine may do; fetch new ones only when they do not.
  if ! $as_root env DEBIAN_FRONTEND=noninteractive $apt install $missing >"$logs/apt.log" 2>&1; then
    say "packages: refreshing the package lists"
    $as_root apt-get -q update >"$logs/apt-update.log" 2>&1 || {
      tail -n 15 "$logs/apt-update.log" >&2
      die "apt-get update failed (whole log: $logs/apt-update.log). Is the network up?"
    }
    $as_root env DEBIAN_FRONTEND=noninteractive $apt install $missing >"$logs/apt.log" 2>&1 || {
      tail -n 15 "$logs/apt.log" >&2
      die "apt-get install failed (whole log: $logs/apt.log)."
    }
  fi
  say "packages: done"
fi

# What apt does not have ready-made; each script prints where its result is on its last line.
obtain() {  # obtain SCRIPT LOG TITLE
  folder=$("$here/$1" 2>"$logs/$2.log") || {
    tail -n 15 "$logs/$2.log" >&2
    die "$3 could not be made (whole log: $logs/$2.log)."
  }
  say "$3: $(echo "$folder" | tail -n 1)"
}
obtain build-capnp.sh capnp "Cap'n Proto"
obtain build-asmjit.sh asmjit "AsmJit"
[ -z "$programs" ] || obtain llama.sh llama "llama.cpp"
