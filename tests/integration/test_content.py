"""Code that a client sent once need not be sent again: bytes are counted, so exact on any machine."""
import subprocess
import sys
import tempfile
import unittest

from harness import ProgramTest
from products import Server, wait_until

# Loads a module of 1 MiB through whatever libcuda.so.1 the loader finds.
LOAD = """
import ctypes
cuda = ctypes.CDLL("libcuda.so.1")
def check(result):
    assert result == 0, result
check(cuda.cuInit(0))
context, module, function = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
check(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0))
check(cuda.cuCtxSetCurrent(context))
ptx = b".version 7.0\\n.target sm_75\\n.address_size 64\\n.visible .entry f() { ret; }\\n// " + b"x" * (1 << 20)
check(cuda.cuModuleLoadData(ctypes.byref(module), ptx))
check(cuda.cuModuleGetFunction(ctypes.byref(function), module, b"f"))
"""


# Copies 20 MiB and a bit to the device, and looks whether they have come.
COPY = """
import ctypes
cuda = ctypes.CDLL("libcuda.so.1")
def check(result):
    assert result == 0, result
check(cuda.cuInit(0))
context, memory = ctypes.c_void_p(), ctypes.c_uint64()
check(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0))
check(cuda.cuCtxSetCurrent(context))
size = (20 << 20) + 4096
data = (bytes(range(256)) * (size // 256 + 1))[:size]
check(cuda.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t(size)))
check(cuda.cuMemcpyHtoD_v2(memory, data, ctypes.c_size_t(size)))
back = ctypes.create_string_buffer(size)
for at in (0, 8 << 20, size - 4096):
    check(cuda.cuMemcpyDtoH_v2(back, ctypes.c_uint64(memory.value + at), ctypes.c_size_t(4096)))
    assert back.raw[:4096] == data[at:at + 4096], at
"""


class Content(ProgramTest):
    def load(self, server, program=LOAD, **variables):
        """Runs the program in a new process; returns the line that the server logs about its end."""
        ended = server.log().count("ended after")
        environment = self.products.client_environment(server.address) | variables
        subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
        self.assertTrue(wait_until(lambda: server.log().count("ended after") > ended), server.log())
        return [line for line in server.log().splitlines() if "ended after" in line][-1]

    def test_a_second_client_sends_next_to_nothing(self):
        server = self.enterContext(Server(self.products, ["127.0.0.1:0"]))
        self.assertRegex(self.load(server), r"1\.0 MiB received")
        second = self.load(server)
        self.assertIn("1.0 MiB known from before", second)
        self.assertRegex(second, r"\d+ B received")

    def test_a_second_client_copies_what_the_first_has_sent(self):
        server = self.enterContext(Server(self.products, ["127.0.0.1:0"]))
        always = {"OUTBOARD_OFFER_COPIES": "always"}
        self.assertRegex(self.load(server, COPY, **always), r"20\.0 MiB received")
        second = self.load(server, COPY, **always)
        self.assertIn("20.0 MiB known from before", second)
        self.assertRegex(second, r"\d+ B received")
        never = self.load(server, COPY, OUTBOARD_OFFER_COPIES="never")
        self.assertRegex(never, r"20\.0 MiB received")
        self.assertNotIn("known from before", never)

    def test_nothing_is_kept_if_told_so(self):
        server = self.enterContext(Server(self.products, ["127.0.0.1:0"], "--cache-size", "0"))
        for _ in range(2):
            self.assertRegex(self.load(server), r"1\.0 MiB received")

    def test_a_folder_that_cannot_be_used_costs_the_cache_only(self):
        with tempfile.NamedTemporaryFile() as file:
            server = self.enterContext(Server(self.products, ["127.0.0.1:0"], "--cache-folder", file.name + "/below"))
            self.assertRegex(self.load(server), r"1\.0 MiB received")
            self.assertIn(file.name, server.log())


if __name__ == "__main__":
    unittest.main()
