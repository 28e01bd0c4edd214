"""Several programs on one server: what happens to one is nothing to the others."""
import os
import signal
import unittest

from harness import ProgramTest, free_bytes, run_summary
from products import Server, wait_until

MIB = 1 << 20


class Sharing(ProgramTest):
    def setUp(self):
        self.server = self.enterContext(Server(self.products, ["127.0.0.1:0"]))

    def test_two_programs_at_once(self):
        first, second = self.session(self.server), self.session(self.server)
        for _ in range(3):
            self.assertEqual(first.ask("check"), "right")
            self.assertEqual(second.ask("check"), "right")
        self.assertEqual(len(self.server.workers()), 2)
        first.quit()
        self.assertEqual(second.ask("check"), "right")
        self.assertTrue(self.server.wait_for_log("ended after"), self.server.log())

    def test_killing_one_leaves_the_other_and_frees_everything(self):
        survivor, victim = self.session(self.server), self.session(self.server)
        before = free_bytes(survivor)
        self.assertEqual(victim.ask(f"alloc {200 * MIB}"), "ok")
        self.assertTrue(wait_until(lambda: free_bytes(survivor) <= before - 200 * MIB), "the allocation is not seen")
        self.assertEqual(victim.ask("spin 1000000000000"), "ok")
        os.kill(victim.process_id(), signal.SIGKILL)
        self.assertTrue(wait_until(lambda: free_bytes(survivor) >= before), "the memory was not freed")
        self.assertEqual(survivor.ask("check"), "right")
        self.assertTrue(self.server.wait_for_log("everything is freed"), self.server.log())
        self.assertIn(f"process {victim.process_id()}", self.server.log())
        self.assertTrue(wait_until(lambda: len(self.server.workers()) == 1), "the worker is still there")
        self.assertTrue(self.server.alive())

    def test_killing_a_worker_is_noticed_by_its_client_only(self):
        survivor = self.session(self.server)
        (kept,) = self.server.workers()
        victim = self.session(self.server)
        (worker,) = [child for child in self.server.workers() if child != kept]
        os.kill(worker, signal.SIGKILL)
        self.assertTrue(wait_until(lambda: victim.ask("sync") == "CUDA_ERROR_DEVICE_UNAVAILABLE"))
        self.assertEqual(victim.ask("check"), "CUDA_ERROR_DEVICE_UNAVAILABLE")
        self.assertEqual(survivor.ask("check"), "right")
        self.assertTrue(self.server.wait_for_log("signal"), self.server.log())

    def test_a_crashed_kernel_ends_one_context_only(self):
        survivor, victim = self.session(self.server), self.session(self.server)
        self.assertEqual(victim.ask("crash"), "CUDA_ERROR_ILLEGAL_ADDRESS")
        self.assertEqual(victim.ask("check"), "CUDA_ERROR_ILLEGAL_ADDRESS")
        self.assertEqual(survivor.ask("check"), "right")

    def test_a_crashed_kernel_is_explained_where_its_program_runs(self):
        session = self.session(self.server)
        self.assertEqual(session.ask("crash"), "CUDA_ERROR_ILLEGAL_ADDRESS")
        self.assertRegex(session.errors(), "The server says: .*kernel crash")

    def test_many_sessions_one_after_the_other_leak_nothing(self):
        self.session(self.server).quit()
        self.assertTrue(wait_until(lambda: not self.server.workers()))
        files = self.server.open_files()
        memory = self.server.resident_bytes()
        for _ in range(12):
            session = self.session(self.server)
            self.assertEqual(session.ask("check"), "right")
            session.quit()
        self.assertTrue(wait_until(lambda: not self.server.workers()))
        self.assertTrue(wait_until(lambda: self.server.open_files() <= files), "descriptors were leaked")
        self.assertLess(self.server.resident_bytes(), memory + 8 * MIB)

    def test_two_nvcc_programs_at_once(self):
        folder = self.products.programs / "default_static"
        programs = [folder / "reduction", folder / "streams_events"]
        if not all(program.exists() for program in programs):
            self.skipTest("no nvcc, so no programs built by it")
        running = [self.start_remote(self.server, program) for program in programs]
        for process in running:
            out, err = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, out + err)
            self.assertIn("PASS", out)

    def test_the_summary_names_device_and_transport(self):
        process = self.start_remote(self.server, self.products.programs / "driver_kernels")
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, out + err)
        summary = run_summary(err)
        self.assertIn("tcp", summary)
        self.assertRegex(summary, r"\d+ calls")

    def test_stopping_the_server_ends_its_workers(self):
        session = self.session(self.server)
        workers = self.server.workers()
        self.assertEqual(len(workers), 1)
        self.assertEqual(self.server.stop(), 0)
        self.assertTrue(wait_until(lambda: not os.path.exists(f"/proc/{workers[0]}")), "a worker outlives its server")
        self.assertEqual(session.ask("check"), "CUDA_ERROR_DEVICE_UNAVAILABLE")


if __name__ == "__main__":
    unittest.main()
