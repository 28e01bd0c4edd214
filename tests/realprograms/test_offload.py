#!/usr/bin/python3
"""OpenMP and OpenACC programs that GCC compiles for nvptx: libgomp's plugin links their PTX through
the driver and runs it. The programs check where they ran and what they computed."""
import pathlib
import shutil
import subprocess
import tempfile

import common

HERE = pathlib.Path(__file__).resolve().parent
# Runs nothing on the host in place of the device.
ENVIRONMENT = {"OMP_TARGET_OFFLOAD": "mandatory", "ACC_DEVICE_TYPE": "nvidia"}


def offloading_gcc():
    gcc = shutil.which("gcc")
    if gcc is None:
        raise common.Missing("there is no gcc.")
    for needed, package in [("accel/nvptx-none/mkoffload", "gcc-offload-nvptx"),
                            ("libgomp-plugin-nvptx.so.1", "libgomp-plugin-nvptx1")]:
        # gcc answers with the name alone if it finds no such file.
        path = subprocess.run([gcc, f"-print-file-name={needed}"], capture_output=True, text=True, check=True).stdout
        if "/" not in path.replace(needed, ""):
            raise common.Missing(f"gcc cannot offload to nvptx: Debian's package {package} is not installed "
                                 "(make setup-programs).")
    return gcc


def test():
    args = common.arguments(__doc__, source="the program, of the folder openmp", language="openmp or openacc")
    gcc = offloading_gcc()
    from run_program import MODES, run_modes
    with tempfile.TemporaryDirectory(prefix="outboard-test-") as folder:
        program = f"{folder}/{pathlib.Path(args.source).stem}"
        # GCC 12 writes PTX of sm_30, which today's ptxas would refuse to check.
        options = "-foffload-options=nvptx-none=-Wa,--no-verify -lm -latomic"
        built = subprocess.run([gcc, "-O2", f"-f{args.language}", "-foffload=nvptx-none", options, "-o", program,
                                str(HERE / "openmp" / args.source), "-lm"], capture_output=True, text=True)
        if built.returncode != 0:
            return [f"gcc did not compile {args.source}:\n{built.stderr}"]
        results = run_modes(common.Products(args.build, ENVIRONMENT), MODES, [program], args.limit)
    if results is None:
        return [f"{args.source} does not run as it should (see above)."]
    print(results["direct"][1], common.outboard_line(results["tcp"]), sep="")
    return [f"the server counted no launch of {args.source} ({mode})." for mode in MODES[1:]
            if common.launches(results[mode]) == 0]


common.main(test)
