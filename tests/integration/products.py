"""Where the built programs lie, and servers that a test starts and stops."""
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time


class Products:
    """The programs and libraries of a build folder."""

    def __init__(self, build, settings=None):
        """`settings` are for the environment of every program and server."""
        self.settings = dict(settings or {})
        self.build = pathlib.Path(build).resolve()
        self.outboard = str(self.build / "bin/outboard")
        self.server = str(self.build / "bin/outboard-server")
        self.client_lib = str(self.build / "lib")
        self.device_lib = str(self.build / "lib/softgpu")
        self.programs = self.build / "tests/programs"

    def _clean_environment(self):
        """This process's environment without what would steer our programs."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OUTBOARD_")}
        kept.pop("CUDA_VISIBLE_DEVICES", None)
        kept["OUTBOARD_CONFIG"] = "/dev/null"
        kept["OUTBOARD_SERVER_CACHE_FOLDER"] = str(self.build / "tests/content")
        if "OUTBOARD_CALL_LOG" in os.environ:  # of a coverage report
            kept["OUTBOARD_CALL_LOG"] = os.environ["OUTBOARD_CALL_LOG"]
        return {**kept, **self.settings}

    def _with_library(self, folder):
        environment = self._clean_environment()
        before = environment.get("LD_LIBRARY_PATH")
        environment["LD_LIBRARY_PATH"] = f"{folder}:{before}" if before else folder
        return environment

    def direct_environment(self):
        return self._with_library(self.device_lib)

    def remote_environment(self):
        """For `outboard run`, which finds the library by itself."""
        return self._clean_environment()

    def client_environment(self, address, **more):
        """For a program that is started without `outboard run`."""
        return {**self._with_library(self.client_lib), "OUTBOARD_SERVER": address, **more}


class Server:
    """An outboard-server of this test. Its log is self.log(); it is stopped at the end of `with`."""

    def __init__(self, products, listen, *options, ready_s=30, driver="softgpu"):
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="outboard-test-"))
        self._log_path = self._folder / "log"
        read_end, write_end = os.pipe()
        command = [products.server, "--driver", driver, "--log-level", "info", "--exit-with-parent", "--ready-fd",
                   str(write_end), *options]
        if "--cache-folder" not in options:
            command += ["--cache-folder", str(self._folder / "content")]
        for address in listen:
            command += ["--listen", address]
        with open(self._log_path, "wb") as log:
            self.process = subprocess.Popen(command, env=products.remote_environment(), stdout=log, stderr=log,
                                            pass_fds=[write_end], start_new_session=True)
        os.close(write_end)
        line = self._first_line(read_end, ready_s)
        os.close(read_end)
        self.addresses = [word for word in line.split() if ":" in word]
        if not line or line.startswith("error") or not self.addresses:
            message = f"the server did not become ready: {line!r}\n{self.log()}"
            self.stop()
            raise RuntimeError(message)
        self.address = self.addresses[0]

    @staticmethod
    def _first_line(descriptor, limit_s):
        line, deadline = b"", time.monotonic() + limit_s
        while b"\n" not in line:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            piece = os.read(descriptor, 4096) if ready else b""
            if not piece:
                break
            line += piece
        return line.decode(errors="replace").split("\n")[0]

    def log(self):
        return self._log_path.read_text(errors="replace")

    def wait_for_log(self, text, limit_s=20):
        """True as soon as `text` (lower case) is in the log."""
        return wait_until(lambda: text in self.log().lower(), limit_s)

    def alive(self):
        return self.process.poll() is None

    def workers(self):
        """Process ids of the server's children."""
        children = []
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            try:
                children += [int(word) for word in task.read_text().split()]
            except OSError:
                pass
        return children

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_bytes(self):
        pages = int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def stop(self):
        """Returns the exit code."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            code = self.process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def wait_until(condition, limit_s=20):
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()
