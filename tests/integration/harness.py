"""What the integration tests share: programs that answer, and a base class that ends them."""
import os
import re
import select
import subprocess
import time
import unittest

from products import Products

ANSWER_S = 60


class Session:
    """The program tests/programs/driver/session.cc, running remotely and waiting for commands."""

    def __init__(self, products, environment):
        self._process = subprocess.Popen([str(products.programs / "session")], env=environment, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._received = b""
        first = self._line()
        if first != "ready":
            self.end()
            raise RuntimeError(f"the program did not start: {first!r} {self._process.stderr.read().decode()}")

    def process_id(self):
        return self._process.pid

    def _line(self):
        deadline = time.monotonic() + ANSWER_S
        while b"\n" not in self._received:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            piece = os.read(self._process.stdout.fileno(), 4096) if ready else b""
            if not piece:
                return "no answer" if not ready else "the end"
            self._received += piece
        line, self._received = self._received.split(b"\n", 1)
        return line.decode()

    def ask(self, command):
        self._process.stdin.write(command.encode() + b"\n")
        self._process.stdin.flush()
        return self._line()

    def quit(self):
        """Leaves in order; returns the exit code."""
        self.ask("quit")
        return self._process.wait(timeout=ANSWER_S)

    def errors(self):
        """Ends it; returns what it has written to standard error."""
        self.end()
        return self._process.stderr.read().decode()

    def end(self):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            try:
                stream.close()
            except BrokenPipeError:
                pass


class ProgramTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.products = Products(os.environ["OUTBOARD_BUILD"])

    def session(self, server):
        session = Session(self.products, self.products.client_environment(server.address))
        self.addCleanup(session._process.stderr.close)
        self.addCleanup(session.end)
        return session

    def start_remote(self, server, program, *arguments):
        command = [self.products.outboard, "run", "--server", server.address, "--", str(program), *arguments]
        return self._start(command, self.products.remote_environment())

    def run_program(self, address, program, limit_s=60, **environment):
        """Runs it with our library and this server, without `outboard run`."""
        process = self._start([str(program)], self.products.client_environment(address, **environment))
        out, err = process.communicate(timeout=limit_s)
        return process.returncode, out, err

    def _start(self, command, environment):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   errors="replace")

        def end():
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()

        self.addCleanup(end)
        return process


def free_bytes(session):
    match = re.match(r"free (\d+) total (\d+)", session.ask("free"))
    if not match:
        raise AssertionError("cuMemGetInfo failed")
    return int(match.group(1))


def run_summary(errors):
    """The line that `outboard run` ends with."""
    lines = [line for line in errors.splitlines() if line.strip()]
    return lines[-1] if lines else ""
