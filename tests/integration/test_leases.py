"""A program with a lease of memory gets all of it and no byte more, whatever call it uses."""
import unittest

from harness import ProgramTest
from products import Server

LEASE_BYTES = 64 << 20


class Leases(ProgramTest):
    def test_every_way_to_memory_ends_at_the_lease(self):
        with Server(self.products, ["127.0.0.1:0"]) as server:
            command = [self.products.outboard, "run", "--memory", str(LEASE_BYTES), "--server", server.address, "--",
                       str(self.products.programs / "lease"), str(LEASE_BYTES)]
            process = self._start(command, self.products.remote_environment())
            out, err = process.communicate(timeout=100)
            self.assertEqual(process.returncode, 0, out + err)
            self.assertIn("PASS lease", out)


if __name__ == "__main__":
    unittest.main()
