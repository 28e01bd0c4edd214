"""Checks the house habits that a machine can check (CONTRIBUTING.md lists them).

Usage: house_style.py [ROOT]     prints one line for each violation; exit code 1 when there is any
"""
import pathlib
import re
import subprocess
import sys

MAX_FILE_LINES = 500      # hand-written C++ and Python; this is for the tail, most are below 300
MAX_FUNCTION_LINES = 100
MAX_LINE_LENGTH = 120

SOURCE = (".cc", ".h", ".cu", ".py")
TEXT = SOURCE + (".sh", ".md", ".txt", ".cmake", ".yaml", ".json", ".toml", ".capnp", ".ptx")
# Data and data-like tables: long by nature.
DATA = re.compile(r"^protocol/registry/.*\.json$|^docs/api-coverage\.md$|(^|/)corpus/|\.lock$|\.ptx$|^LICENSE$")
# The patterns are put together from pieces, so that this file does not contain what it forbids.
LEFT_OVER = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")
PRIVATE_PATH = re.compile("(?<![A-Za-z0-9_.$}-])/" + "(work|home/(?!x/)[a-z]+|ro" + "ot)/")
SNAKE_CASE = re.compile(r"^[a-z0-9_]+(\.[a-z0-9_]+)*$")

# (folders, pattern, why): what a guest in other people's processes must not do.
FORBIDDEN_CALLS = [
    (("client-lib/", "server/softgpu/driver/"), re.compile(r"(?<![\w.>])(?:std::|::)?(?:exit|abort|quick_exit|terminate)\s*\("),
     "a library in someone else's process never ends it"),
    (("client-lib/",), re.compile(r"\bstd::cout\b|(?<![\w:.>])(?:std::)?(?:printf|puts|putchar)\s*\("),
     "a library never writes to standard output"),
    (("protocol/", "client-lib/", "server/", "pooling/"), re.compile(r"^\s*using namespace std;"),
     "names of std are written out"),
]


def tracked_files(root):
    """Files that git knows or would add; everything below `root` where there is no git."""
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-co", "--exclude-standard"],
                            capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        names = listed.stdout.splitlines()
    else:
        names = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    return sorted(name for name in names if name.endswith(TEXT) and (root / name).is_file())


def function_lengths(lines):
    """(first line, length) of each brace block that starts and ends at column 0, namespaces aside."""
    start = None
    for number, line in enumerate(lines, 1):
        if start is None and line.endswith("{") and line[:1] not in (" ", "}", "/", "#") \
                and not line.startswith(("namespace", "extern", "class", "struct", "enum", "union", "template", "const", "inline const", "static const")):
            start = number
        elif start is not None and line.startswith("}"):
            yield start, number - start + 1
            start = None


def check_lines(name, lines):
    for number, line in enumerate(lines, 1):
        if LEFT_OVER.search(line):
            yield number, "a left-over marker; finish it or file an issue"
        if PRIVATE_PATH.search(line):
            yield number, "a path of one person's machine"
        if name.endswith(SOURCE) and (line.endswith((" ", "\t")) or (line.startswith("\t"))):
            yield number, "a tab or trailing blank"
        if name.endswith((".cc", ".h")) and len(line) > MAX_LINE_LENGTH:
            yield number, f"{len(line)} columns; the limit is {MAX_LINE_LENGTH}"
        if name.endswith(".h") and line.startswith("using namespace"):
            yield number, "a header does not import a namespace into its includers"
        code = line.split("//")[0]
        for folders, pattern, why in FORBIDDEN_CALLS:
            if name.startswith(folders) and name.endswith((".cc", ".h")) and pattern.search(code):
                yield number, why


def check_file(root, name):
    text = (root / name).read_text(encoding="utf-8", errors="replace")
    lines = text.splitlines()
    if name.endswith(SOURCE):
        if not SNAKE_CASE.match(pathlib.PurePath(name).name):
            yield 1, "file names are snake_case"
        if len(lines) > MAX_FILE_LINES:
            yield len(lines), f"{len(lines)} lines; the limit is {MAX_FILE_LINES}: is it still one idea?"
    if name.endswith(".h") and "#pragma once" not in lines:
        yield 1, "a header needs #pragma once"
    if name.endswith((".cc", ".h")):
        for start, length in function_lengths(lines):
            if length > MAX_FUNCTION_LINES:
                yield start, f"a function of {length} lines; the limit is {MAX_FUNCTION_LINES}"
    yield from check_lines(name, lines)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()
    names = [name for name in tracked_files(root) if not DATA.search(name)]
    found = [f"{name}:{number}: {problem}" for name in names for number, problem in check_file(root, name)]
    for line in found:
        print(line)
    print(f"{len(names)} files, {len(found)} violations of the house style")
    if not names:
        print("no file was found; is this the root of the project?")
        return 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
