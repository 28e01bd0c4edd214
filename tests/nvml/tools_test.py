#!/usr/bin/python3
"""Programs of others that read NVML, unmodified, through a server: nvtop and Python's pynvml.

  tools_test.py --build BUILD pynvml|nvtop

Skips (77) where the program is not installed: Debian has nvtop in contrib and python3-pynvml in
non-free.
"""
import argparse
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
from products import Products, Server  # noqa: E402

NOT_HERE = 77
PYNVML = """
import ctypes
import pynvml as n

def same(a, b):
    return ctypes.cast(a, ctypes.c_void_p).value == ctypes.cast(b, ctypes.c_void_p).value

n.nvmlInit()
print("driver", n.nvmlSystemGetDriverVersion(), "CUDA", n.nvmlSystemGetCudaDriverVersion())
for i in range(n.nvmlDeviceGetCount()):
    d = n.nvmlDeviceGetHandleByIndex(i)
    memory, rates, pci = n.nvmlDeviceGetMemoryInfo(d), n.nvmlDeviceGetUtilizationRates(d), n.nvmlDeviceGetPciInfo(d)
    assert same(n.nvmlDeviceGetHandleByUUID(n.nvmlDeviceGetUUID(d)), d)
    assert same(n.nvmlDeviceGetHandleByPciBusId(pci.busId), d)
    assert memory.used + memory.free == memory.total and 0 <= rates.gpu <= 100
    assert n.nvmlDeviceGetCudaComputeCapability(d) == (9, 0)
    for p in n.nvmlDeviceGetComputeRunningProcesses(d):
        print("process", p.pid, p.usedGpuMemory)
    for call in (n.nvmlDeviceGetTemperature, n.nvmlDeviceGetMemoryErrorCounter):
        try:
            call(d, *([0] if call is n.nvmlDeviceGetTemperature else [0, 0, 0]))
        except n.NVMLError as error:
            assert error.value == n.NVML_ERROR_NOT_SUPPORTED, error
    print("device", n.nvmlDeviceGetName(d), memory.total)
n.nvmlShutdown()
"""


def start_session(products, server):
    """A program that holds device memory, to be seen among the processes."""
    program = str(products.programs / "session")
    ptx = pathlib.Path(__file__).resolve().parent.parent / "programs/ptx/kernels.ptx"
    session = subprocess.Popen([program, str(ptx)], env=products.client_environment(server.address), text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    session.stdin.write("alloc 104857600\n")
    session.stdin.flush()
    assert [session.stdout.readline().strip() for _ in range(2)] == ["ready", "ok"]
    return session


def run_pynvml(environment):
    run = subprocess.run(["/usr/bin/python3", "-c", PYNVML], env=environment, capture_output=True, text=True, timeout=50)
    return run.stdout + run.stderr


def run_nvtop(environment):
    """nvtop draws on a terminal: this is one, for three seconds."""
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe("nvtop", ["nvtop", "-d", "5"], {**environment, "TERM": "xterm", "COLUMNS": "150", "LINES": "50"})
    drawn, end = b"", time.monotonic() + 4
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                drawn += os.read(terminal, 65536)
            except OSError:
                break
    try:
        os.write(terminal, b"q")
    except OSError:
        pass
    os.waitpid(child, 0)
    # Without what moves the cursor and colours; spaces are drawn by moving.
    return re.sub(r"\x1b[\[(][0-9;?]*[A-Za-z]", " ", drawn.decode(errors="replace"))


def is_here(tool):
    if tool == "nvtop":
        return shutil.which("nvtop") is not None
    return subprocess.run(["/usr/bin/python3", "-c", "import pynvml"], capture_output=True).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("tool", choices=["pynvml", "nvtop"])
    args = parser.parse_args()
    if not is_here(args.tool):
        print(f"{args.tool} is not installed, so it was not tried.")
        return NOT_HERE
    products = Products(args.build)
    with Server(products, ["127.0.0.1:0"]) as server:
        session = start_session(products, server)
        time.sleep(1.5)  # the daemon hears of memory once a second
        environment = products.client_environment(server.address)
        output = (run_nvtop if args.tool == "nvtop" else run_pynvml)(environment)
        pid = session.pid
        session.communicate("quit\n", timeout=20)
    print(output)
    wanted = [f"process {pid} 104857600", "device Outboard software device"] if args.tool == "pynvml" else \
        ["Outboard", str(pid), "100MiB"]
    missing = [text for text in wanted if text not in output]
    for text in missing:
        print(f"not in the output: {text!r}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
