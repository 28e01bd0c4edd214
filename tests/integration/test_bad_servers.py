"""Clients whose server is missing, wrong or hostile: a clear error soon, and no crash."""
import re
import socket
import subprocess
import threading
import unittest

from harness import ProgramTest


class FakeTcpServer:
    """Hands every connection to `behave(socket)` on a thread of its own."""

    def __init__(self, behave):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._behave = behave
        self._connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            self._behave(connection)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()
        for connection in self._connections:
            connection.close()


def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class BadServers(ProgramTest):
    def fails(self, address, *expected, **environment):
        """cuInit fails in order, and standard error says why in words that match `expected`."""
        program = self.products.programs / "driver_kernels"
        code, out, err = self.run_program(address, program, OUTBOARD_LOG="error", **environment)
        self.assertEqual(code, 1, f"exit code {code}\n{out}\n{err}")
        self.assertRegex(out, r"cuInit.*CUDA_ERROR_\w+")
        for pattern in expected:
            self.assertRegex(err, re.compile(pattern, re.IGNORECASE))
        return err

    def test_no_server(self):
        port = unused_port()
        self.fails(f"127.0.0.1:{port}", str(port), "refused")

    def test_no_unix_socket(self):
        self.fails("unix:/nonexistent/outboard.sock", "/nonexistent/outboard.sock")

    def test_address_that_is_none(self):
        self.fails("127.0.0.1:notaport", "notaport")
        self.fails("127.0.0.1:99999", "99999")

    def test_unknown_host(self):
        self.fails("no-such-host.invalid:7070", "no-such-host.invalid")

    def test_outboard_run_says_it_once(self):
        command = [self.products.outboard, "run", "--server", f"127.0.0.1:{unused_port()}", "--",
                   str(self.products.programs / "driver_kernels")]
        result = subprocess.run(command, env=self.products.remote_environment(), capture_output=True, text=True,
                                timeout=60)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("refused", result.stderr.lower())

    def test_another_protocol_version(self):
        for mode, expected in (("refuse", "versions 7 to 9"), ("newer", "99")):
            server = subprocess.Popen([str(self.products.build / "tests/fake_server"), mode], stdout=subprocess.PIPE,
                                      text=True)
            try:
                self.fails(server.stdout.readline().strip(), "version", expected)
            finally:
                server.kill()
                server.wait()
                server.stdout.close()

    def test_server_that_hangs_up(self):
        with FakeTcpServer(lambda connection: connection.close()) as server:
            self.fails(server.address, r"closed|reset|ended|broken")

    def test_server_that_says_nothing(self):
        with FakeTcpServer(lambda connection: connection.recv(1 << 20) and connection.recv(1)) as server:
            self.fails(server.address, r"deadline|within", OUTBOARD_TIMEOUT_MS="1500")

    def test_server_of_another_kind(self):
        def http(connection):
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        with FakeTcpServer(http) as server:
            self.fails(server.address, r"outboard|frame|protocol|magic")

    def test_random_bytes_instead_of_a_welcome(self):
        def noise(connection):
            connection.recv(1 << 16)
            connection.sendall(bytes((i * 197 + 31) % 256 for i in range(100000)))

        with FakeTcpServer(noise) as server:
            self.fails(server.address, r"frame|protocol|magic")

    def test_welcome_of_four_gibibytes(self):
        def huge(connection):
            connection.recv(1 << 16)
            connection.sendall(b"OBF1" + b"\xf8\xff\xff\xff" + bytes(8))
            connection.recv(1)

        with FakeTcpServer(huge) as server:
            self.fails(server.address, r"limit|most|65536|64 KiB")


if __name__ == "__main__":
    unittest.main()
