"""How often programs wait for the network and how much they send: counts, so exact on any machine."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from harness import ProgramTest
from products import Server

STEPS = "10"


class RoundTrips(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.enterClassContext(Server(cls.products, ["127.0.0.1:0"]))
        with tempfile.TemporaryDirectory() as folder:
            environment = cls.products.client_environment(cls.server.address,
                                                          OUTBOARD_STATS_FILE=f"{folder}/stats")
            program = pathlib.Path(os.environ["OUTBOARD_BUILD"]) / "bin" / "bench_traces"
            done = subprocess.run([str(program), STEPS], env=environment, check=True, capture_output=True, text=True,
                                  timeout=60)
        cls.traces = json.loads(done.stdout)

    def test_three_to_the_first_launch(self):
        # The greeting is not a call: it is the third.
        self.assertLessEqual(self.traces["first_launch"]["round_trips"], 2)

    def test_one_for_a_token(self):
        self.assertEqual(self.traces["decode"]["round_trips"], 1)

    def test_one_for_each_wait_of_a_training_step(self):
        self.assertEqual(self.traces["training"]["round_trips"], 4)

    def test_a_training_step_is_small(self):
        # 330 calls, 272 of them launches with 28 bytes of parameters each.
        self.assertLess(self.traces["training"]["bytes_sent"], 330 * 32)


if __name__ == "__main__":
    unittest.main()
