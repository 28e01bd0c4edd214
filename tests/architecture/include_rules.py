"""Checks which folder may include which (docs/ARCHITECTURE.md has the reasons).

Usage: include_rules.py [ROOT]     prints one line for each violation; exit code 1 when there is any
"""
import pathlib
import re
import sys

# Folder -> what its files may include besides files of the folder itself. The longest prefix of a
# file's path decides. Tests, benchmarks and deployment may include everything.
RULES = {
    "protocol/base": [],
    "protocol/abi": ["protocol/base"],
    "protocol/transport": ["protocol/base"],
    "protocol/schema": ["protocol/base"],
    "protocol/wire": ["protocol"],
    "client-lib": ["protocol"],
    "client-lib/nvml": ["protocol", "client-lib/session", "client-lib/state", "client-lib/shim"],
    "server": ["protocol"],
    # Pure: decisions about memory and compute can be simulated without a server.
    "server/quota": ["protocol/base"],
    # A driver: it knows nothing of the network, nor of the server that loads it.
    "server/softgpu": ["protocol/base", "protocol/abi"],
    # The compiler and the machine it compiles for know each other, and nothing of streams or drivers.
    "server/softgpu/ptx": ["protocol/base", "server/softgpu/exec"],
    "server/softgpu/exec": ["protocol/base", "server/softgpu/ptx"],
    # Knows the interpreter's code and state; nothing below the driver knows it.
    "server/softgpu/jit": ["protocol/base", "server/softgpu/ptx", "server/softgpu/exec"],
    "server/softgpu/image": ["protocol/base"],
    "server/softgpu/device": ["protocol/base", "protocol/abi", "server/softgpu/ptx", "server/softgpu/exec",
                              "server/softgpu/image"],
    "pooling": ["protocol"],
}
FREE = ("tests", "bench", "deploy", "docs")
LAYERED = ("protocol", "client-lib", "server", "pooling")

# Headers that would cost every includer seconds; they belong into .cc files.
HEAVY = re.compile(r"^(asio[./]|spdlog/|fmt/|capnp/|kj/|CLI/|toml\+\+/|nlohmann/)|\.capnp\.h$")

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')


def rule_for(path):
    best = max((folder for folder in RULES if path.startswith(folder + "/")), key=len, default=None)
    return best


def source_files(root):
    for top in LAYERED + FREE:
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".cc", ".h", ".cu") and path.is_file():
                yield path.relative_to(root).as_posix()


def is_generated(include):
    return include.endswith(("_gen.h", "_gen.inc", ".capnp.h"))


def check_include(root, path, quoted, include):
    """The violation that this one include is, or None."""
    if path.endswith(".h") and HEAVY.search(include):
        return f"the heavy header <{include}> belongs into a .cc file"
    if not quoted:
        return None
    beside = pathlib.PurePath(path).parent / include
    if path.startswith("tests/programs/") and (root / beside).is_file():
        return None  # programs that stand for a user's own are written as a user would
    if not include.startswith(LAYERED + FREE):
        return f'"{include}" is not written from the root of the project'
    if not is_generated(include) and not (root / include).is_file():
        return f'"{include}" does not exist'
    if path.startswith(FREE):
        return None
    folder = rule_for(path)
    if folder is None:
        return f"no rule covers this folder; add one to {pathlib.Path(__file__).name}"
    allowed = [folder] + RULES[folder]
    if any(include.startswith(place + "/") for place in allowed):
        return None
    return f'{folder} may not include "{include}" (allowed: {", ".join(allowed)})'


def violations(root):
    for path in source_files(root):
        text = (root / path).read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            problem = check_include(root, path, match[1] == '"', match[2])
            if problem:
                yield f"{path}:{number}: {problem}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()
    files = len(list(source_files(root)))
    found = list(violations(root))
    for line in found:
        print(line)
    print(f"{files} files, {len(found)} violations of the include rules")
    if files == 0:
        print("no source file was found; is this the root of the project?")
        return 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
