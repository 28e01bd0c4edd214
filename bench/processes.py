"""Programs and servers that the benchmarks run, on this machine's loopback address only."""
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile


def json_of(command, **options):
    """What a program prints, as JSON; ends this one if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=600, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}.")
    return json.loads(done.stdout)


@contextlib.contextmanager
def server(build, driver):
    """A server of its own; gives its address and ends it."""
    with tempfile.TemporaryDirectory() as folder:
        reading, writing = os.pipe()
        command = [str(pathlib.Path(build) / "bin" / "outboard-server"), "--listen", "127.0.0.1:0", "--driver", driver,
                   "--ready-fd", str(writing), "--log-file", f"{folder}/server.log"]
        process = subprocess.Popen(command, pass_fds=[writing])
        os.close(writing)
        try:
            with os.fdopen(reading) as ready:
                line = ready.readline()
            address = re.search(r"127\.0\.0\.1:\d+", line)
            if not address:
                sys.exit(f"The server did not start: {line.strip() or 'it ended'}")
            yield address.group(0)
        finally:
            process.terminate()
            process.wait(timeout=10)
