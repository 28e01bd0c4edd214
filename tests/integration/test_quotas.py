"""Compute quotas end to end; that shares are exact is measured by bench/quota.py."""
import re
import subprocess
import sys
import unittest

from harness import ProgramTest
from products import Server, wait_until

# Launches a kernel a thousand times, in plain launches and in a graph, and looks whether all have run.
COUNT = """
import ctypes
cuda = ctypes.CDLL("libcuda.so.1")
def check(result):
    assert result == 0, result
check(cuda.cuInit(0))
context, module, function = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
memory, stream, graph, exec = ctypes.c_uint64(), ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
check(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0))
check(cuda.cuCtxSetCurrent(context))
ptx = b'''.version 7.0
.target sm_75
.address_size 64
.visible .entry count(.param .u64 p) {
  .reg .u64 %a;
  .reg .u32 %r;
  ld.param.u64 %a, [p];
  atom.add.u32 %r, [%a], 1;
  ret;
}'''
check(cuda.cuModuleLoadData(ctypes.byref(module), ptx))
check(cuda.cuModuleGetFunction(ctypes.byref(function), module, b"count"))
check(cuda.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t(4)))
check(cuda.cuMemsetD32_v2(memory, 0, ctypes.c_size_t(1)))
check(cuda.cuStreamCreate(ctypes.byref(stream), 1))
parameters = (ctypes.c_void_p * 1)(ctypes.cast(ctypes.pointer(memory), ctypes.c_void_p))
def launch():
    check(cuda.cuLaunchKernel(function, 8, 1, 1, 32, 1, 1, 0, stream, parameters, None))
for i in range(500):
    launch()
check(cuda.cuStreamBeginCapture_v2(stream, 0))
for i in range(10):
    launch()
check(cuda.cuStreamEndCapture(stream, ctypes.byref(graph)))
check(cuda.cuGraphInstantiateWithFlags(ctypes.byref(exec), graph, ctypes.c_ulonglong(0)))
for i in range(50):
    check(cuda.cuGraphLaunch(exec, stream))
check(cuda.cuStreamSynchronize(stream))
result = ctypes.c_uint32()
check(cuda.cuMemcpyDtoH_v2(ctypes.byref(result), memory, ctypes.c_size_t(4)))
assert result.value == 1000 * 8 * 32, result.value
"""


class Quotas(ProgramTest):
    def start(self, server, **variables):
        environment = self.products.client_environment(server.address) | variables
        return subprocess.Popen([sys.executable, "-c", COUNT], env=environment)

    def ends(self, server, sessions):
        self.assertTrue(wait_until(lambda: server.log().count("ended after") >= sessions), server.log())
        return [line for line in server.log().splitlines() if "ended after" in line]

    def test_a_capped_program_is_measured_and_runs_whole(self):
        server = self.enterContext(Server(self.products, ["127.0.0.1:0"]))
        self.assertEqual(self.start(server, OUTBOARD_COMPUTE="50%").wait(timeout=60), 0)
        used = re.search(r"(\d+) ms of measured device time", self.ends(server, 1)[0])
        self.assertTrue(used, server.log())

    def test_a_program_alone_is_not_measured(self):
        server = self.enterContext(Server(self.products, ["127.0.0.1:0"]))
        self.assertEqual(self.start(server).wait(timeout=60), 0)
        self.assertNotIn("measured device time", self.ends(server, 1)[0])

    def test_programs_that_compete_all_run_whole(self):
        server = self.enterContext(Server(self.products, ["127.0.0.1:0"]))
        running = [self.start(server, **variables) for variables in
                   ({}, {}, {"OUTBOARD_COMPUTE": "20%"}, {"OUTBOARD_COMPUTE": "5%", "OUTBOARD_PRIORITY": "9"})]
        for process in running:
            self.assertEqual(process.wait(timeout=120), 0)
        self.ends(server, len(running))

    def test_the_death_of_who_has_the_turn_lets_the_others_go_on(self):
        server = self.enterContext(Server(self.products, ["127.0.0.1:0"]))
        for _ in range(5):
            victim, survivor = self.start(server), self.start(server)
            victim.kill()
            victim.wait(timeout=60)
            self.assertEqual(survivor.wait(timeout=60), 0)


if __name__ == "__main__":
    unittest.main()
