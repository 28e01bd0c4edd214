"""One sample of a cuda-samples checkout: what its CMakeLists.txt says, how it is built with nvcc alone,
and how a run of it is judged."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

ARCHITECTURE = "90"
WAIVED = 2  # the exit code with which a sample says that it cannot be tried on this device
GRAPHICS = re.compile(r"find_package\((OpenGL|GLUT|Vulkan|EGL)|simpleD3D|NVSCI", re.IGNORECASE)
FAILURE = re.compile(r"\bFAIL(ED|URE)?\b|\btest failed\b|\bCUDA error\b|results? (do|does) not match|!!!!|"
                     r"\bmismatch at\b", re.IGNORECASE)
SUCCESS = re.compile(r"\bPASS(ED)?\b|\btest passed\b|\bsuccess(ful|fully)?\b|\bOK\b", re.IGNORECASE)
# A line with one of these counts nothing as failed, although it has the word in it.
HARMLESS = re.compile(r"failed as expected|assertion `.*` failed|0 failures|failed: 0\b|failures: 0\b", re.IGNORECASE)
# Of CMake's names, those whose linker option does not follow from the name.
LIBRARIES = {"cuda_driver": ["-lcuda"], "cudart": [], "nvrtc": ["-lnvrtc"], "cublas": ["-lcublas", "-lcublasLt"]}


# Libraries that prefer machine code on the GPUs they know. A device that is newer than these gets their PTX.
PREFER_MACHINE_CODE = re.compile(r"CUDA::(cublas|cusolver|cusparse)")
NEWER_THAN_THE_LIBRARIES = "13.0"


class Sample:
    """What the folder says, without having built or run anything."""

    def __init__(self, folder, checkout, toolkit):
        self.folder, self.checkout, self.toolkit = folder, checkout, toolkit
        self.name, self.group = folder.name, folder.parent.name
        self.cmake = (folder / "CMakeLists.txt").read_text()
        found = re.search(r"add_executable\((\S+)(?: WIN32)?\s+([^)]+)\)", self.cmake)
        self.program, sources = (found.group(1), found.group(2).split()) if found else ("", [])
        self.sources = [folder / source for source in sources]

    def cannot_be_tried(self):
        """Why the sample is left out before anything is built, or None."""
        if self.group.startswith("8_"):
            return "for another platform (Tegra)"
        if GRAPHICS.search(self.cmake):
            return "needs a graphics interface (OpenGL, Vulkan, EGL, Direct3D or NvSci)"
        if not self.sources:
            return "has no program of its own"
        return None

    def compute_capability(self):
        """The one the device is to have for this sample, or None for the usual one."""
        return NEWER_THAN_THE_LIBRARIES if PREFER_MACHINE_CODE.search(self.cmake) else None

    def links(self):
        options = ["-lcudadevrt"]
        for name in re.findall(r"CUDA::(\w+)", self.cmake):
            options += LIBRARIES.get(name, [f"-l{name}"])
        if "NVVM_LIB" in self.cmake:
            options += ["-lnvvm", "-lcuda"]
        if "nvJitLink" in self.cmake:
            options += ["-lnvJitLink"]
        if "OpenMP" in self.cmake:
            options += ["-Xcompiler", "-fopenmp"]
        if "find_package(MPI" in self.cmake:
            options += ["-lmpi"]
        return list(dict.fromkeys(options)) + ["-lrt"]

    def nvcc(self, *arguments):
        flags = ["-O2", "-std=c++17", "--extended-lambda", "-Wno-deprecated-gpu-targets",
                 f"-gencode=arch=compute_{ARCHITECTURE},code=compute_{ARCHITECTURE}"]
        includes = [self.checkout / "Common", self.folder, self.folder / "inc", self.checkout / "Common/UtilNPP",
                    self.toolkit / "nvvm/include", self.folder.parent / "common/include"]
        definitions = []
        if self.group.startswith("7_"):
            definitions = [f'-DLIBCUDADEVRT="{self.toolkit}/lib64/libcudadevrt.a"', f"-DLIBNVVM_HOME={self.toolkit}/nvvm",
                           "-DLIBDEVICE_MAJOR_VERSION=1", "-DLIBDEVICE_MINOR_VERSION=0"]
        return [str(self.toolkit / "bin/nvcc"), *flags, *[f"-I{path}" for path in includes], *definitions,
                *[str(argument) for argument in arguments]]

    def build(self, work, limit_s):
        """Makes `work`, the folder to run in, out of the sample's own files; returns why that failed, or None."""
        # What these have and the shared library has not is why the sample names them.
        for name in re.findall(r"CUDA::(\w+_static)", self.cmake):
            if not (self.toolkit / f"lib64/lib{name}.a").exists():
                return f"did not build: lib{name}.a is not part of this toolkit"
        if (work / self.program).exists():
            return None
        shutil.copytree(self.folder, work, dirs_exist_ok=True, ignore=shutil.ignore_patterns("doc"))
        for name in re.findall(r"\$\{CUDA_INCLUDE_DIR\}/(\S+)", self.cmake):
            link = work / pathlib.Path(name).name
            if not link.exists():
                link.symlink_to(self.toolkit / "include" / name)
        commands = [self.nvcc("-rdc=true", *self.sources, "-o", work / self.program, f"-L{self.toolkit}/lib64",
                              f"-L{self.toolkit}/lib64/stubs", *self.links())]
        kernel = re.search(r"CUDA_KERNEL_SOURCE \"\$\{CMAKE_CURRENT_SOURCE_DIR\}/([^\"]+)\"", self.cmake)
        image = re.search(r"CUDA_(?:FATBIN|PTX)_FILE \"\$\{CMAKE_CURRENT_BINARY_DIR\}/([^\"]+)\"", self.cmake)
        if kernel and image:
            kind = "-ptx" if image.group(1).endswith(".ptx") else "-fatbin"
            commands.append(self.nvcc(kind, self.folder / kernel.group(1), "-o", work / image.group(1)))
        for command in commands:
            code, output, _ = run(command, work, dict(os.environ), limit_s)
            (work / "build.log").write_text(output)
            if code != 0:
                return f"did not build: {first_error(output)}"
        return None


def first_error(output):
    missing = re.search(r"fatal error: (\S+): No such file", output)
    if missing:
        return f"{missing.group(1)} is not part of this toolkit"
    lines = [line for line in output.splitlines() if re.search(r"error|undefined|cannot find", line, re.IGNORECASE)]
    return lines[0][-160:] if lines else "no message"


def run(command, folder, environment, limit_s):
    """Returns (exit code, output of both kinds, seconds); the exit code is None after the limit."""
    start = time.monotonic()
    with subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True) as process:
        try:
            output, _ = process.communicate(timeout=limit_s)
            return process.returncode, output, time.monotonic() - start
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return None, output, time.monotonic() - start


def judge(code, output, limit_s):
    """Returns (status, why) of one run."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    last = lines[-1][:150] if lines else "no output"
    if code is None:
        return "FAIL", f"stopped after {limit_s} s; last line: {last}"
    if code == WAIVED:
        return "skipped", f"the sample waives itself: {last}"
    failed = [line for line in lines if FAILURE.search(line) and not HARMLESS.search(line)]
    if code != 0:
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        # What the device says about it tells most.
        notes = [line for line in lines if line.startswith("outboard software device: ")]
        return "FAIL", f"{how}: {(notes or failed or [last])[0][:150]}"
    if failed:
        return "FAIL", f"exit code 0, but it prints: {failed[0][:150]}"
    return "PASS", "its own check" if any(SUCCESS.search(line) for line in lines) else "exit code"
