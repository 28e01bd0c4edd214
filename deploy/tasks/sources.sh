# Sourced: the C++ files that formatting and linting look at (tracked, or new and not ignored).
cpp_sources() { git ls-files --cached --others --exclude-standard -- "${@:-.}" | grep -E '\.(cc|h|cu)$' | while read -r path; do [ -f "$path" ] && printf '%s\n' "$path"; done; }
