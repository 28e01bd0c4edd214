"""A server whose peers send nonsense: it answers with a sentence or hangs up, and serves on."""
import os
import re
import socket
import subprocess
import time
import unittest

from harness import ProgramTest
from products import Server, wait_until

MIB = 1 << 20
HELLO_LIMIT_S = 5.0  # limits::kHelloTime


class HostileClients(ProgramTest):
    def setUp(self):
        self.server = self.enterContext(Server(self.products, ["127.0.0.1:0"]))
        host, port = re.search(r"([\d.]+):(\d+)$", self.server.address).groups()
        self.endpoint = (host, int(port))
        self.files = self.server.open_files()
        self.memory = self.server.resident_bytes()

    def tearDown(self):
        """Whatever happened: the server serves, and has forgotten it."""
        self.assertTrue(self.server.alive(), self.server.log())
        session = self.session(self.server)
        self.assertEqual(session.ask("check"), "right")
        session.quit()
        self.assertTrue(wait_until(lambda: not self.server.workers()), "workers are left")
        self.assertTrue(wait_until(lambda: self.server.open_files() <= self.files), "descriptors were leaked")
        self.assertLess(self.server.resident_bytes(), self.memory + 32 * MIB)

    def connect(self):
        connection = socket.create_connection(self.endpoint, timeout=20)
        self.addCleanup(connection.close)
        return connection

    def ends(self, connection, limit_s=20):
        """The server ends the connection; returns what it said before."""
        connection.settimeout(limit_s)
        said = b""
        try:
            while piece := connection.recv(65536):
                said += piece
        except ConnectionResetError:
            pass
        return said

    def test_random_bytes(self):
        for seed in range(5):
            connection = self.connect()
            connection.sendall(bytes((i * 31 + seed * 101 + i // 7) % 256 for i in range(5000)))
            self.ends(connection)
        self.assertTrue(self.server.wait_for_log("turned away"), self.server.log())

    def test_right_magic_then_random_bytes(self):
        connection = self.connect()
        connection.sendall(b"OBF1" + (256).to_bytes(4, "little") + bytes(8) + os.urandom(256))
        said = self.ends(connection)
        self.assertTrue(said.startswith(b"OBF1"), "the server must refuse with a sentence")

    def test_frame_of_four_gibibytes(self):
        for sizes in ((0xFFFFFFF8, 0, 0), (64, 0xFFFFFFFF, 0), (64, 0, 0xFFFFFFFF), (0xFFFFFFFF,) * 3):
            connection = self.connect()
            connection.sendall(b"OBF1" + b"".join(size.to_bytes(4, "little") for size in sizes))
            self.ends(connection)
        self.assertLess(self.server.resident_bytes(), self.memory + 32 * MIB)

    def test_connect_and_leave(self):
        for _ in range(50):
            self.connect().close()

    def test_half_a_hello(self):
        connection = self.connect()
        connection.sendall(b"OBF1" + (512).to_bytes(4, "little") + bytes(8) + bytes(100))
        connection.shutdown(socket.SHUT_WR)
        self.ends(connection)

    def test_slow_hello_is_cut_off(self):
        """One byte now and then does not keep a connection beyond the limit."""
        connection = self.connect()
        started = time.monotonic()
        hello = b"OBF1" + (4096).to_bytes(4, "little") + bytes(8 + 4096)
        cut = False
        for byte in hello:
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                cut = True
                break
            if time.monotonic() - started > 2 * HELLO_LIMIT_S:
                break
            time.sleep(0.1)
        if not cut:
            self.ends(connection, limit_s=1)
        self.assertLess(time.monotonic() - started, 2 * HELLO_LIMIT_S + 2)

    def test_others_are_served_while_many_say_nothing(self):
        silent = [self.connect() for _ in range(60)]
        session = self.session(self.server)
        self.assertEqual(session.ask("check"), "right")
        session.quit()
        for connection in silent:
            connection.close()

    def test_broken_sessions(self):
        for how in ("random", "huge", "magic", "opcode", "count", "body"):
            with self.subTest(how=how):
                result = subprocess.run([str(self.products.build / "tests/bad_client"), self.server.address, how],
                                        capture_output=True, text=True, timeout=60)
                self.assertEqual(result.returncode, 0, f"{how}: {result.stdout}{result.stderr}\n{self.server.log()}")

    def test_client_of_another_protocol_version(self):
        result = subprocess.run([str(self.products.build / "tests/bad_client"), self.server.address, "version"],
                                capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertRegex(result.stdout, r"refusal: .*version.*99")

    def test_too_many_sessions_are_refused_with_a_sentence(self):
        with Server(self.products, ["127.0.0.1:0"], "--max-sessions", "2") as small:
            sessions = [self.session(small) for _ in range(2)]
            program = self.products.programs / "driver_kernels"
            code, out, err = self.run_program(small.address, program, OUTBOARD_LOG="error")
            self.assertEqual(code, 1, out + err)
            self.assertIn("limit", err)
            for session in sessions:
                self.assertEqual(session.ask("check"), "right")


class Listening(ProgramTest):
    def test_other_addresses_than_loopback_are_refused(self):
        for address in ("0.0.0.0:0", "[::]:0"):
            with self.assertRaises(RuntimeError) as refused:
                Server(self.products, [address])
            self.assertRegex(str(refused.exception).lower(), "loopback|local")


if __name__ == "__main__":
    unittest.main()
