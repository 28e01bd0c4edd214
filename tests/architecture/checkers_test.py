"""The checkers must find what they are for: each case plants one violation in a small tree."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).parent
LEFT_OVER = "TO" + "DO"
DEVELOPER_PATH = "/" + "home/someone/x"


def run(checker, files):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        result = subprocess.run([sys.executable, str(HERE / checker), str(root)], capture_output=True, text=True,
                                check=False)
        return result.returncode, result.stdout


class IncludeRules(unittest.TestCase):
    HEADER = {"protocol/base/a.h": "#pragma once\n", "server/worker/w.h": "#pragma once\n",
              "protocol/wire/f.h": "#pragma once\n"}

    def check(self, files, expected):
        code, output = run("include_rules.py", {**self.HEADER, **files})
        self.assertEqual(code, 1, output)
        self.assertIn(expected, output)

    def test_accepts_what_is_allowed(self):
        code, output = run("include_rules.py", {**self.HEADER, "server/worker/w.cc": '#include "protocol/base/a.h"\n'
                                                '#include <asio/io_context.hpp>\n#include "protocol/wire/m_gen.h"\n'})
        self.assertEqual(code, 0, output)

    def test_finds_a_client_that_includes_the_server(self):
        self.check({"client-lib/shim/s.cc": '#include "server/worker/w.h"\n'}, "client-lib may not include")

    def test_finds_a_protocol_that_includes_upwards(self):
        self.check({"protocol/base/b.cc": '#include "protocol/wire/f.h"\n'}, "protocol/base may not include")

    def test_finds_a_device_that_knows_the_network(self):
        self.check({"server/softgpu/device/d.cc": '#include "protocol/wire/f.h"\n'}, "server/softgpu/device may not")

    def test_finds_a_quota_that_is_not_pure(self):
        self.check({"server/quota/q.cc": '#include "server/worker/w.h"\n'}, "server/quota may not include")

    def test_finds_a_heavy_header_in_a_header(self):
        self.check({"server/worker/h.h": "#pragma once\n#include <spdlog/spdlog.h>\n"}, "heavy header")

    def test_finds_an_include_of_nothing(self):
        self.check({"server/worker/n.cc": '#include "server/worker/gone.h"\n'}, "does not exist")

    def test_finds_an_include_relative_to_its_folder(self):
        self.check({"server/worker/r.cc": '#include "w.h"\n'}, "not written from the root")

    def test_an_empty_tree_is_no_success(self):
        code, _ = run("include_rules.py", {})
        self.assertEqual(code, 1)


class HouseStyle(unittest.TestCase):
    def check(self, files, expected):
        code, output = run("house_style.py", files)
        self.assertEqual(code, 1, output)
        self.assertIn(expected, output)

    def test_accepts_a_plain_file(self):
        code, output = run("house_style.py", {"server/a.cc": "int f() {\n  return 1;\n}\n"})
        self.assertEqual(code, 0, output)

    def test_finds_left_overs(self):
        self.check({"server/a.cc": f"// {LEFT_OVER}: later\n"}, "left-over")

    def test_finds_a_long_file(self):
        self.check({"server/a.cc": "int x;\n" * 501}, "501 lines")

    def test_finds_a_long_function(self):
        self.check({"server/a.cc": "int f() {\n" + "  g();\n" * 110 + "}\n"}, "a function of 112 lines")

    def test_finds_a_header_without_guard(self):
        self.check({"server/a.h": "int x;\n"}, "#pragma once")

    def test_finds_a_file_name_in_another_style(self):
        self.check({"server/BigName.cc": "int x;\n"}, "snake_case")

    def test_finds_a_library_that_ends_the_process(self):
        self.check({"client-lib/shim/a.cc": "void f() { exit(1); }\n"}, "never ends it")

    def test_finds_a_library_that_prints(self):
        self.check({"client-lib/shim/a.cc": 'void f() { printf("x"); }\n'}, "standard output")

    def test_finds_the_path_of_a_person(self):
        self.check({"docs/a.md": f"see {DEVELOPER_PATH}\n"}, "one person's machine")

    def test_finds_an_overlong_line(self):
        self.check({"server/a.cc": "// " + "x" * 130 + "\n"}, "133 columns")


if __name__ == "__main__":
    unittest.main()
