#!/usr/bin/python3
"""hashcat compiles its kernels when it runs, by NVRTC and the driver's linker, and finds the passwords
that this test hashed; its own self-test must agree as well."""
import hashlib
import shutil
import tempfile

import common
from run_program import MODES, run_modes

# Words of a list: the one that is looked for stands near its end.
WORDS = [f"word{i * 7919 % 10007:05d}" for i in range(3000)]

# name: (hashcat's number of the hash, attack, function, password)
CASES = {
    "md5_of_a_mask": (0, 3, hashlib.md5, "frog"),
    "sha256_of_a_word": (1400, 0, hashlib.sha256, WORDS[-40]),
}


def test():
    args = common.arguments(__doc__)
    if shutil.which("hashcat") is None:
        raise common.Missing("hashcat is not installed (make setup-programs).")
    libraries = common.toolkit_libraries("libnvrtc.so", "libnvrtc-builtins.so.13.0")
    problems = []
    with tempfile.TemporaryDirectory(prefix="outboard-test-") as folder:
        # One cache for all runs: the first links the kernels, the others load what the linker gave it.
        products = common.Products(args.build, {
            "LD_LIBRARY_PATH": libraries, "XDG_CACHE_HOME": f"{folder}/cache", "XDG_DATA_HOME": f"{folder}/data"})
        with open(f"{folder}/words", "w") as file:
            file.write("\n".join(WORDS) + "\n")
        for name, (mode, attack, function, password) in CASES.items():
            digest = function(password.encode()).hexdigest()
            command = ["hashcat", "--quiet", "--backend-ignore-opencl", "--potfile-disable", "--force", "-m", str(mode),
                       "-a", str(attack), digest, "?l?l?l?l" if attack == 3 else f"{folder}/words"]
            results = run_modes(products, MODES, command, args.limit, says_pass=False)
            if results is None:
                problems.append(f"{name} does not run as it should (see above).")
                continue
            print(name, results["direct"][1].strip(), common.outboard_line(results["tcp"]))
            if f"{digest}:{password}" not in results["direct"][1]:
                problems.append(f"{name}: the password is not in what hashcat says.")
            if any(common.launches(results[way]) == 0 for way in MODES[1:]):
                problems.append(f"{name}: the server counted no launch.")
    return problems


common.main(test)
