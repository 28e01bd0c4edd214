#!/usr/bin/env python3
"""Writes the snapshot of facts that the generator reads: names, values, layouts and prototypes.

Needed only when a new CUDA toolkit is adopted; building Outboard needs neither it nor a toolkit:

    extract_cuda_facts.py --toolkit /usr/local/cuda --clang clang-19 --output ../registry/cuda_facts.json

Nothing of the headers' text or comments goes into the snapshot.
"""
import argparse
import json
import pathlib
import re
import subprocess
import tempfile

# Three readings of the same headers, because they rename functions by macros: as a program sees them,
# as a program built for per-thread default streams sees them, and as the toolkit's own sources do
# (superseded types and prototypes).
READINGS = {
    "plain": [],
    "per_thread": ["-DCUDA_API_PER_THREAD_DEFAULT_STREAM"],
    "internal": ["-D__CUDA_API_VERSION_INTERNAL", "-D__CUDA_API_VERSION_INTERNAL_ODR"],
}
HEADERS = ["cuda.h", "cudaProfiler.h"]
# These need headers of graphics systems; the few foreign types that they use are declared here.
GRAPHICS_HEADERS = ["vdpau/vdpau.h", "cudaGL.h", "cudaEGL.h", "cudaVDPAU.h"]
GRAPHICS_STAND_INS = {
    "GL/gl.h": "typedef unsigned int GLenum; typedef unsigned int GLuint;",
    "EGL/egl.h": "typedef int EGLint;",
    "EGL/eglext.h": "typedef void *EGLImageKHR; typedef void *EGLStreamKHR; typedef void *EGLSyncKHR;",
    "vdpau/vdpau.h": "typedef unsigned int VdpStatus; typedef unsigned int VdpDevice; typedef unsigned int VdpFuncId;"
    " typedef unsigned int VdpVideoSurface; typedef unsigned int VdpOutputSurface;"
    " typedef VdpStatus VdpGetProcAddress(VdpDevice, VdpFuncId, void **);",
}
OURS = r"CU|cu|GL|EGL|Vdp"  # how the names of these headers' types begin; the C library's begin otherwise
VERSION_HEADERS = ["cudaTypedefs.h", "cudaProfilerTypedefs.h", "cudaGLTypedefs.h", "cudaEGLTypedefs.h",
                   "cudaVDPAUTypedefs.h"]


class Reader:
    """Collects declarations from clang's JSON syntax tree."""

    def __init__(self):
        self.types = []        # in order of declaration
        self.functions = {}
        self._names = {}       # node id -> name of an enum or record
        self._seen = set()

    def read(self, tree, with_types):
        pending = {}           # anonymous tags waiting for the typedef that names them
        for node in tree["inner"]:
            kind = node["kind"]
            if kind == "FunctionDecl" and node["name"].startswith("cu"):
                self._function(node)
            if not with_types:
                continue
            if kind in ("RecordDecl", "EnumDecl"):
                if re.match(OURS, node.get("name", "-")):
                    self._tag(node, node["name"])
                elif not node.get("name"):
                    pending[node["id"]] = node
            elif kind == "TypedefDecl":
                self._typedef(node, pending)

    def _function(self, node):
        returned = node["type"]["qualType"].split("(")[0].strip()
        params = [[p.get("name", f"arg{i}"), _clean(p["type"]["qualType"])]
                  for i, p in enumerate(p for p in node.get("inner", []) if p["kind"] == "ParmVarDecl")]
        self.functions.setdefault(node["name"], {"returns": returned, "params": params})

    def _add(self, entry):
        key = (entry["kind"] == "typedef", entry["name"])
        if key not in self._seen:
            self._seen.add(key)
            self.types.append(entry)

    def _tag(self, node, name):
        if node["kind"] == "EnumDecl":
            self._add({"kind": "enum", "name": name, "values": _enum_values(node)})
        elif node.get("completeDefinition"):
            self._add({"kind": node["tagUsed"], "name": name, "fields": _fields(node, name)})

    def _typedef(self, node, pending):
        name, owned = node["name"], _owned_tag(node)
        if not re.match(OURS, name):
            return
        if owned and owned in pending:
            self._tag(pending[owned], name)
            return
        target = _clean(node["type"]["qualType"])
        if re.fullmatch(r"const struct \w+ \*|struct \w+ \*", target) and not self._complete(target):
            self._add({"kind": "opaque", "name": name, "tag": target.split()[-2], "const": target.startswith("const")})
        elif target.split()[-1] != name:
            self._add({"kind": "typedef", "name": name, "type": target})

    def _complete(self, target):
        return any(t["name"] == target.split()[-2] and t["kind"] in ("struct", "union") for t in self.types)


def _clean(spelling):
    """C++ needs no tag keywords; the snapshot leaves them out except in opaque pointers."""
    return spelling if re.fullmatch(r"(const )?struct \w+ \*", spelling) else re.sub(r"\b(struct|union|enum) ", "", spelling)


def _owned_tag(node):
    for inner in node.get("inner", []):
        if "ownedTagDecl" in inner:
            return inner["ownedTagDecl"]["id"]
    return None


def _enum_values(node):
    values, following = [], 0
    for constant in node.get("inner", []):
        if constant["kind"] != "EnumConstantDecl":
            continue
        found = _constant(constant)
        value = following if found is None else found
        values.append([constant["name"], value])
        following = value + 1
    return values


def _constant(node):
    for inner in node.get("inner", []):
        if "value" in inner and inner["kind"] in ("ConstantExpr", "IntegerLiteral"):
            return int(inner["value"])
        found = _constant(inner)
        if found is not None:
            return found
    return None


def _fields(node, owner):
    fields, anonymous = [], None
    for inner in node.get("inner", []):
        if inner["kind"] == "RecordDecl":
            nested = {"kind": inner["tagUsed"], "fields": _fields(inner, owner)}
            if inner.get("name"):
                nested["name"] = inner["name"]
            anonymous = nested
        elif inner["kind"] == "FieldDecl":
            field = {"name": inner.get("name", "")}
            spelled = inner["type"]["qualType"]
            own = anonymous and ("(unnamed" in spelled or "(anonymous" in spelled or
                                 (anonymous.get("name") and re.search(rf"\b{anonymous['name']}\b", spelled)))
            if own:
                field["record"] = anonymous
                suffix = re.search(r"(\[\d+\])+$", spelled)
                if suffix:
                    field["array"] = suffix.group(0)
                anonymous = None
            else:
                field["type"] = _clean(spelled)
            fields.append(field)
    return fields


def _syntax_tree(clang, source, includes, defines):
    command = [clang, "-x", "c", "-fsyntax-only", "-Xclang", "-ast-dump=json"]
    command += [f"-I{path}" for path in includes] + defines + ["-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def _includes(headers):
    return "".join(f"#include <{header}>\n" for header in headers)


def _paths(record, prefix=""):
    """Every field that offsetof can name."""
    for field in record["fields"]:
        path = prefix + field["name"]
        if field["name"]:
            yield path
        if "record" in field and "array" not in field:
            yield from _paths(field["record"], path + "." if field["name"] else prefix)


def _layouts(types, source, includes, clang):
    """Adds sizes, alignments and offsets, measured by a program (in C++, where tags need no keyword)."""
    records = [t for t in types if t["kind"] in ("struct", "union")]
    lines = [source, "#include <stdio.h>\n#include <stddef.h>\nint main(void) {"]
    for record in records:
        name = record["name"]
        lines.append(f'printf("{name} %zu %zu", sizeof({name}), alignof({name}));')
        lines += [f'printf(" %zu", offsetof({name}, {path}));' for path in _paths(record)]
        lines.append('printf("\\n");')
    lines.append("return 0; }")
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "layout"
        subprocess.run([clang, "-x", "c++", *[f"-I{p}" for p in includes], *READINGS["internal"], "-o", program, "-"],
                       input="\n".join(lines), text=True, check=True)
        output = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    measured = {line.split()[0]: [int(x) for x in line.split()[1:]] for line in output.splitlines()}
    for record in records:
        size, alignment, *offsets = measured[record["name"]]
        record["size"], record["align"] = size, alignment
        record["offsets"] = dict(zip(_paths(record), offsets))


def _constants(clang, source, includes):
    """Macros with an integer value that a program may use."""
    macros = subprocess.run([clang, "-x", "c", "-E", "-dM", *[f"-I{p}" for p in includes], "-"], input=source,
                            capture_output=True, text=True, check=True).stdout
    found = {}
    for line in macros.splitlines():
        match = re.fullmatch(r"#define (CUDA_[A-Z0-9_]+|CU_[A-Z0-9_]+|RESOURCE_[A-Z0-9_]+) (.+)", line)
        if not match:
            continue
        name, text = match.groups()
        if re.fullmatch(r"-?(0x[0-9a-fA-F]+|\d+)", text):
            found[name] = int(text, 0)
        elif cast := re.fullmatch(r"\(\((\w+)\)\s*(-?\w+)\)", text):
            if re.fullmatch(r"-?(0x[0-9a-fA-F]+|\d+)", cast.group(2)):
                found[name] = {"type": cast.group(1), "value": int(cast.group(2), 0)}
        elif cast := re.fullmatch(r"\(\(void\*\)(\w+)\)", text):
            found[name] = {"type": "void *", "of": cast.group(1)}
        elif re.fullmatch(r"CU_[A-Z_]+", text):
            found[name] = {"enumerator": text}
    for value in found.values():
        if isinstance(value, dict) and "of" in value:
            value["value"] = found[value.pop("of")]
    return dict(sorted(found.items()))


def _versions(clang, includes, functions):
    """Name -> the driver versions in which it got a new meaning, as (version, per-thread variant?)."""
    tree = _syntax_tree(clang, _includes(VERSION_HEADERS), includes, READINGS["internal"])
    versions = {}
    for node in tree["inner"]:
        match = node["kind"] == "TypedefDecl" and re.fullmatch(r"PFN_(\w+?)_v(\d+)(_ptds|_ptsz)?", node["name"])
        if match and match.group(1) in functions:  # not those of other systems
            entry = versions.setdefault(match.group(1), {"plain": [], "per_thread": []})
            entry["per_thread" if match.group(3) else "plain"].append(int(match.group(2)))
    return {name: {k: sorted(set(v)) for k, v in entry.items() if v} for name, entry in sorted(versions.items())}


def _exports(stub):
    listed = subprocess.run(["nm", "-D", "--defined-only", stub], capture_output=True, text=True, check=True).stdout
    return sorted(line.split()[-1] for line in listed.splitlines() if " T " in line)


def _compact(facts):
    """One line per item, so that a new toolkit shows as a readable difference."""
    parts = []
    for key, value in facts.items():
        if isinstance(value, dict):
            body = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
            parts.append(f' "{key}": {{\n{body}\n }}')
        elif isinstance(value, list):
            body = ",\n".join(f"  {json.dumps(v)}" for v in value)
            parts.append(f' "{key}": [\n{body}\n ]')
        else:
            parts.append(f' "{key}": {json.dumps(value)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def extract(toolkit, clang):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in GRAPHICS_STAND_INS.items():
            path = pathlib.Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
        includes = [folder, f"{toolkit}/include"]
        source = _includes(HEADERS)
        reader, graphics = Reader(), Reader()
        for name, defines in READINGS.items():
            reader.read(_syntax_tree(clang, source, includes, defines), with_types=name == "internal")
        everything = source + _includes(GRAPHICS_HEADERS)
        for name, defines in READINGS.items():
            graphics.read(_syntax_tree(clang, everything, includes, defines), with_types=name == "internal")
        _layouts(graphics.types, everything, includes, clang)
        exports = _exports(f"{toolkit}/lib64/stubs/libcuda.so")
        constants = _constants(clang, source, includes)
        # The stub library lacks the graphics names that a real driver exports.
        graphics_exports = sorted(set(graphics.functions) - set(reader.functions))
        missing = [name for name in exports if name not in reader.functions]
        if missing:
            raise SystemExit(f"no prototype found for: {', '.join(missing)}")
        return {
            "cuda_version": constants["CUDA_VERSION"],
            "constants": constants,
            "types": graphics.types,
            "functions": {name: graphics.functions[name] for name in sorted(exports + graphics_exports)},
            "versions": _versions(clang, includes, graphics.functions),
            "exports": exports,
            "graphics_exports": graphics_exports,
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--toolkit", default="/usr/local/cuda")
    parser.add_argument("--clang", default="clang-19")
    parser.add_argument("--output", required=True, type=pathlib.Path)
    args = parser.parse_args()
    args.output.write_text(_compact(extract(args.toolkit, args.clang)))


if __name__ == "__main__":
    main()
