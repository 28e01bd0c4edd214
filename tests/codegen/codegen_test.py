"""The generator refuses what is incomplete, and what it writes is complete and fresh."""
import copy
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
REGISTRY = ROOT / "protocol" / "registry"
CODEGEN = ROOT / "protocol" / "codegen"
sys.path.insert(0, str(CODEGEN))

from model import load, opcodes  # noqa: E402
from model.errors import RegistryError  # noqa: E402
from outputs import OUTPUTS, coverage  # noqa: E402

TOOLKIT = pathlib.Path("/usr/local/cuda")


class RegistryCopy(unittest.TestCase):
    """A registry of its own for each test to spoil."""

    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.registry = pathlib.Path(self._folder.name) / "registry"
        shutil.copytree(REGISTRY, self.registry)

    def edit(self, name, change):
        path = self.registry / name
        content = copy.deepcopy(yaml.load(path.read_text(), yaml.CSafeLoader))
        change(content)
        path.write_text(yaml.dump(content, sort_keys=False))

    def edit_call(self, family, symbol, **keys):
        def change(content):
            content["calls"][symbol] = keys
        self.edit(f"families/{family}.yaml", change)

    def assert_refused(self, pattern, numbered=True):
        with self.assertRaises(RegistryError) as caught:
            load.load(self.registry, numbered)
        self.assertRegex(str(caught.exception), pattern)


class RefusesCalls(RegistryCopy):
    def test_untouched_copy_is_accepted(self):
        load.load(self.registry)

    def test_missing_entry(self):
        self.edit("families/event.yaml", lambda c: c["calls"].pop("cuEventQuery"))
        self.assert_refused("1 exported functions have no entry: cuEventQuery")

    def test_entry_in_two_families(self):
        self.edit_call("stream", "cuEventQuery", mode="generated")
        self.assert_refused("cuEventQuery: is also in family event")

    def test_entry_for_a_twin(self):
        self.edit_call("stream", "cuStreamQuery_ptsz", mode="generated")
        self.assert_refused("cuStreamQuery_ptsz: is not an exported function")

    def test_unknown_mode(self):
        self.edit_call("event", "cuEventQuery", mode="maybe")
        self.assert_refused("the mode 'maybe' is none of")

    def test_unknown_key(self):
        self.edit_call("event", "cuEventQuery", mode="generated", wait=True)
        self.assert_refused("unknown key wait")

    def test_unsupported_without_reason(self):
        self.edit_call("event", "cuEventQuery", mode="unsupported")
        self.assert_refused("an unsupported call needs a reason")

    def test_reason_of_a_supported_call(self):
        self.edit_call("event", "cuEventQuery", mode="generated", reason="why not")
        self.assert_refused("only such a call has one")

    def test_void_pointer_without_rule(self):
        self.edit_call("memory", "cuMemHostGetFlags", mode="generated")
        self.assert_refused(r"cuMemHostGetFlags, parameter p: the pointer 'void \*' has no rule")

    def test_pointer_to_pointer_without_rule(self):
        self.edit_call("memory", "cuMemHostAlloc", mode="generated")
        self.assert_refused(r"cuMemHostAlloc, parameter pp: the pointer 'void \*\*' has no rule")

    def test_text_without_rule(self):
        self.edit_call("device", "cuDeviceGetName", mode="generated")
        self.assert_refused("parameter name: a char pointer needs a rule")

    def test_struct_with_pointers(self):
        self.edit_call("graph", "cuGraphHostNodeSetParams", mode="generated")
        self.assert_refused(r"CUDA_HOST_NODE_PARAMS\.\w+ is a pointer without a rule")

    def test_unknown_handle_kind(self):
        self.edit("handles.yaml", lambda c: c["kinds"].pop("CUgreenCtx"))
        self.assert_refused("CUgreenCtx is an unknown handle kind")

    def test_rule_for_no_parameter(self):
        self.edit_call("event", "cuEventQuery", mode="generated", params={"hEvnt": "optional"})
        self.assert_refused("there is no parameter hEvnt; the snapshot has hEvent")

    def test_unknown_rule(self):
        self.edit_call("event", "cuEventQuery", mode="generated", params={"hEvent": "perhaps"})
        self.assert_refused("unknown rule perhaps")

    def test_array_counted_by_no_parameter(self):
        self.edit_call("graph", "cuGraphGetNodes", mode="generated", params={"nodes": {"array": "number"}, "numNodes": "inout"})
        self.assert_refused("parameter nodes refers to number")

    def test_sized_without_sizes(self):
        self.edit_call("mempool", "cuMemPoolGetAttribute", mode="generated", params={"value": {"sized_by": "attr"}})
        self.assert_refused("sized_by needs sizes")

    def test_destroying_what_is_no_handle(self):
        self.edit_call("vmm", "cuMemUnmap", mode="generated", destroys="ptr")
        self.assert_refused("destroys: ptr is no handle parameter")

    def test_no_reply_with_results(self):
        self.edit_call("event", "cuEventElapsedTime", mode="generated", no_reply=True)
        self.assert_refused("a call that returns something cannot be no_reply")

    def test_allocating_without_saying_what_it_takes(self):
        self.edit_call("event", "cuEventCreate", mode="generated", allocates=True)
        self.assert_refused("`allocates` and `charges` belong together")

    def test_charging_without_allocating(self):
        self.edit_call("event", "cuEventCreate", mode="generated", charges={"as": "kArray", "bytes": "1()", "key": "phEvent"})
        self.assert_refused("`allocates` and `charges` belong together")

    def test_freeing_without_giving_back(self):
        self.edit_call("event", "cuEventDestroy_v2", mode="generated", frees=True)
        self.assert_refused("`frees` and `releases` belong together")

    def test_charging_for_no_parameter(self):
        self.edit_call("event", "cuEventCreate", mode="generated", allocates=True,
                       charges={"as": "kArray", "bytes": "1()", "key": "nothing"})
        self.assert_refused("its key is a parameter")

    def test_waiting_without_reply(self):
        self.edit_call("event", "cuEventSynchronize", mode="generated", waits=True, no_reply=True)
        self.assert_refused("a call that waits needs its reply")

    def test_same_as_another_signature(self):
        self.edit_call("event", "cuEventQuery", mode="generated", same_as="cuEventElapsedTime")
        self.assert_refused("no exported function with the same parameters")

    def test_twin_without_stream(self):
        self.edit_call("memory", "cuMemcpyDtoD_v2", mode="generated")
        self.assert_refused("has a per-thread twin but no stream parameter")

    def test_unknown_struct_field(self):
        self.edit("structs.yaml", lambda c: c["CUmemLocation"]["fields"].update(where={"device": True}))
        self.assert_refused("there is no field 'where'")


class RefusesMessages(RegistryCopy):
    def add_message(self, **message):
        self.edit("messages/stream.yaml", lambda c: c["messages"].update(Probe=message))

    def test_message_without_family(self):
        (self.registry / "messages" / "nowhere.yaml").write_text("messages: {}\n")
        self.assert_refused("there is no family nowhere")

    def test_unknown_field_type(self):
        self.add_message(request={"value": "u128"})
        self.assert_refused("the field type 'u128' is unknown")

    def test_struct_that_cannot_travel(self):
        self.add_message(request={"params": "CUDA_HOST_NODE_PARAMS"})
        self.assert_refused("is a pointer without a rule")

    def test_message_twice(self):
        self.edit("messages/stream.yaml", lambda c: c["messages"].update(LaunchKernel={}))
        self.assert_refused("the message LaunchKernel exists already")

    def test_waiting_with_views(self):
        self.add_message(waits=True, request={"name": "string"})
        self.assert_refused("a call that waits cannot have")

    def test_new_message_without_opcode(self):
        self.add_message(request={"value": "u32"})
        self.assert_refused("Probe has no opcode yet")


class RefusesOpcodes(RegistryCopy):
    def setUp(self):
        super().setUp()
        self.lock = self.registry / "opcodes.lock"
        self.lines = self.lock.read_text().splitlines()

    def write(self, lines):
        self.lock.write_text("\n".join(lines) + "\n")

    def test_removed_from_the_middle(self):
        self.write([line for line in self.lines if not line.startswith("7 ")])
        self.assert_refused("was changed, removed or reordered")

    def test_removed_from_the_end(self):
        self.write(self.lines[:-1])
        self.assert_refused("has no opcode yet")

    def test_swapped(self):
        lines = [re.sub(r"^8 ", "7 ", re.sub(r"^7 ", "8 ", line)) if line[:2] in ("7 ", "8 ") else line for line in self.lines]
        self.write(lines)
        self.assert_refused("was changed, removed or reordered")

    def test_renamed(self):
        self.write([line.replace("EventRecord ", "EventRecords ") for line in self.lines])
        self.assert_refused("was changed, removed or reordered")

    def test_message_gone(self):
        self.edit_call("event", "cuEventQuery", mode="unsupported", reason="to see")
        self.assert_refused("the opcodes of EventQuery have no message any more")

    def test_retired_message_may_go_but_not_come_back(self):
        self.write([line + " retired" if " EventQuery " in line else line for line in self.lines])
        self.assert_refused("EventQuery is retired")
        self.edit_call("event", "cuEventQuery", mode="unsupported", reason="to see")
        load.load(self.registry)

    def test_appending_keeps_what_is_there(self):
        text = self.lock.read_text()
        appended = opcodes.append(text, ["Probe", "EventQuery"])
        self.assertTrue(appended.startswith(text))
        self.assertEqual((len(opcodes.parse(text)) + 1, "Probe", False), opcodes.parse(appended)[-1])


class WhatIsWritten(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = load.load(REGISTRY)
        cls.files = {path: text for module in OUTPUTS for path, text in module.files(cls.model).items()}

    def test_coverage_page_is_fresh(self):
        page = ROOT / "docs" / "api-coverage.md"
        self.assertEqual(coverage.page(self.model), page.read_text(),
                         "run protocol/codegen/generate.py --registry protocol/registry --coverage docs/api-coverage.md")

    def defined(self, pattern, prefix):
        text = "".join(t for path, t in self.files.items() if path.startswith(prefix))
        return re.findall(pattern, text)

    def test_client_exports_every_symbol_once(self):
        found = self.defined(r"(?m)^CUresult (\w+)\(.*\) try \{$", "client-lib/shim/exports_")
        self.assertEqual(sorted(self.model.facts.functions), sorted(found))

    def test_software_device_answers_every_symbol(self):
        found = self.defined(r"__attribute__\(\(weak\)\) CUresult (\w+)\(", "server/softgpu/driver/")
        self.assertEqual(sorted(self.model.facts.functions), sorted(found))

    def test_whole_surface(self):
        stub = [f for f in self.model.facts.functions.values() if not f.graphics]
        self.assertEqual(637, len(stub))
        self.assertEqual(478, len(self.model.facts.versions))  # 28 of them of graphics

    def test_generated_bodies_are_all_there(self):
        found = self.defined(r"(?m)^CUresult (\w+)\(Client& client", "client-lib/calls/generated_")
        wanted = [c.symbol for c in self.model.registry.calls if c.mode == "generated" and not c.same_as]
        self.assertEqual(sorted(wanted), sorted(found))

    def test_cmake_knows_every_file(self):
        text = (ROOT / "deploy" / "cmake" / "OutboardCodegen.cmake").read_text()
        patterns = [re.escape(p).replace("@", r"\w+") for p in re.findall(r"[\w/@-]+\.(?:cc|h)\b", text)]
        unknown = [path for path in self.files if not any(re.fullmatch(p, path) for p in patterns)]
        self.assertEqual([], unknown)

    def test_generator_contains_no_function_of_the_api(self):
        names = re.compile(r"\b(" + "|".join(self.model.facts.functions) + r")\b")
        for path in [*CODEGEN.rglob("*.py"), *CODEGEN.rglob("*.j2")]:
            self.assertEqual([], names.findall(path.read_text()), path)

    def test_nothing_is_rewritten_for_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-B", CODEGEN / "generate.py", "--registry", REGISTRY, "--output", folder]
            subprocess.run(command, check=True)
            before = {path: path.stat().st_mtime_ns for path in pathlib.Path(folder).rglob("*") if path.is_file()}
            subprocess.run(command, check=True)
            after = {path: path.stat().st_mtime_ns for path in pathlib.Path(folder).rglob("*") if path.is_file()}
        self.assertEqual(before, after)
        self.assertEqual(len(self.files), len(after))

    @unittest.skipUnless((TOOLKIT / "include" / "cuda.h").exists() and shutil.which("clang-19"), "needs a toolkit and clang 19")
    def test_snapshot_is_what_the_toolkit_says(self):
        version = re.search(r"#define CUDA_VERSION (\d+)", (TOOLKIT / "include" / "cuda.h").read_text())
        if int(version.group(1)) != self.model.facts.cuda_version:
            self.skipTest("the toolkit here is of another version")
        with tempfile.TemporaryDirectory() as folder:
            output = pathlib.Path(folder) / "facts.json"
            subprocess.run([sys.executable, "-B", CODEGEN / "extract_cuda_facts.py", "--toolkit", TOOLKIT, "--output", output],
                           check=True)
            self.assertEqual((REGISTRY / "cuda_facts.json").read_text(), output.read_text())


if __name__ == "__main__":
    unittest.main()
