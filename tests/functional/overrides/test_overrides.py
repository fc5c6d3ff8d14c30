"""What the operator says of a candidate counts at once, until it ends, over restarts and reloads."""

import json

import harness

NAME = "api.example.com"
TWO = {"candidates": [], "switch_hold": 0, "check": harness.QUICK}


class Overrides(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.near = self.server("127.0.1.1", delay=5)
        self.far = self.server("127.0.1.2", delay=60)
        self.host = {**TWO, "candidates": [{**self.near.candidate, "name": "near"},
                                           {**self.far.candidate, "name": "far"}]}

    def override_of(self, candidate):
        host, = harness.harctl_json("status", NAME)["hosts"]
        found, = {json.dumps(endpoint["override"]) for endpoint in host["endpoints"]
                  if endpoint["candidate"] == candidate}
        return json.loads(found)

    def test_a_drained_one_is_checked_and_not_answered(self):
        hard = self.hard({NAME: self.host})
        self.assert_answer(NAME, ["127.0.1.1"])
        harness.harctl("drain", NAME, "near", "--reason", "upgrade of \u00fcberall")
        self.assert_answer(NAME, ["127.0.1.2"], 1)
        asked = self.near.stats()["requests"]
        harness.wait_until(lambda: self.near.stats()["requests"] > asked + 2, "further checks")
        self.assertEqual(self.override_of("near"), {"kind": "drain", "expires_s": None,
                                                    "reason": "upgrade of \u00fcberall"})
        self.assertIsNone(self.override_of("far"))
        event, = hard.events(event="override")
        self.assertEqual((event["candidate"], event["kind"]), ("near", "drain"))
        harness.harctl("auto", NAME, "near")
        self.assert_answer(NAME, ["127.0.1.1"], 1)
        self.assertIsNone(self.override_of("near"))

    def test_forced_down_and_up(self):
        self.hard({NAME: self.host})
        self.assert_answer(NAME, ["127.0.1.1"])
        harness.harctl("force", NAME, "near", "down")
        self.assert_answer(NAME, ["127.0.1.2"], 1)
        self.near.kill()
        harness.harctl("force", NAME, "near", "up")
        self.assert_answer(NAME, ["127.0.1.1"], 1)

    def test_it_ends_by_itself(self):
        hard = self.hard({NAME: self.host})
        self.assert_answer(NAME, ["127.0.1.1"])
        harness.harctl("drain", NAME, "near", "--for", "2s")
        self.assert_answer(NAME, ["127.0.1.2"], 1)
        self.assertIn(self.override_of("near")["expires_s"], (1, 2))
        hard.wait_event(event="override-ended", candidate="near", was="drain")
        self.assert_answer(NAME, ["127.0.1.1"])

    def test_it_ends_by_itself_after_a_restart_too(self):
        hard = self.hard({NAME: self.host})
        harness.harctl("drain", NAME, "near", "--for", "4s")
        hard.stop()
        hard.start()
        self.assertEqual(self.override_of("near")["kind"], "drain")
        hard.wait_event(event="override-ended", candidate="near", was="drain")
        self.assert_answer(NAME, ["127.0.1.1"])

    def test_each_of_many_survives_a_crash(self):
        """Also those that were given while another one was being written."""
        labels = [f"c{number}" for number in range(10)]
        hard = self.hard({NAME: {**self.host, "candidates": [
            {**self.near.candidate, "address": f"127.0.3.{place}", "name": label}
            for place, label in enumerate(labels, 1)]}})
        for label in labels:
            harness.harctl("drain", NAME, label, check=False)  # nobody is well here
        harness.wait_until(lambda: self.is_written(10), "ten overrides in state.db")
        hard.kill()
        hard.start()
        for label in labels:
            self.assertEqual(self.override_of(label)["kind"], "drain")

    def test_it_survives_a_crash_a_restart_and_a_reload(self):
        hard = self.hard({NAME: self.host})
        self.assert_answer(NAME, ["127.0.1.1"])
        harness.harctl("drain", NAME, "near", "--for", "1h", "--reason", "disk")
        harness.harctl("force", NAME, "far", "up")
        harness.wait_until(self.is_written, "both overrides in state.db")
        hard.kill()
        hard.start()
        self.assertEqual(harness.getent(NAME), ["127.0.1.2"])
        self.assertEqual(self.override_of("near")["kind"], "drain")
        self.assertEqual(self.override_of("near")["reason"], "disk")
        self.assertGreater(self.override_of("near")["expires_s"], 3500)
        self.assertEqual(self.override_of("far")["kind"], "up")

        hard.configure({"hosts": {NAME: {**self.host, "selection": "ordered"}}})
        harness.harctl("reload")
        self.assertEqual(self.override_of("near")["kind"], "drain")
        self.assertEqual(harness.getent(NAME), ["127.0.1.2"])

    def test_it_waits_for_its_candidate(self):
        """Whoever drained it does not want it back because a file was wrong for a minute."""
        hard = self.hard({NAME: self.host})
        harness.harctl("drain", NAME, "near", "--for", "1h", "--reason", "disk")
        harness.harctl("force", NAME, "far", "up")
        harness.wait_until(self.is_written, "both overrides in state.db")
        for gone in ({NAME: {**self.host, "candidates": self.host["candidates"][1:]}}, {}):
            hard.configure({"hosts": gone})
            harness.harctl("reload")
            hard.wait_event(event="override-waits", candidate="near", kind="drain")
            hard.stop()
            hard.start()
            hard.configure({"hosts": {NAME: self.host}})
            harness.harctl("reload")
            self.assertEqual(self.override_of("near")["reason"], "disk")
            self.assertGreater(self.override_of("near")["expires_s"], 3500)
            self.assertEqual(self.override_of("far")["kind"], "up")
            self.assert_answer(NAME, ["127.0.1.2"])
        harness.harctl("auto", NAME, "near")
        harness.harctl("reload")
        self.assertIsNone(self.override_of("near"))

    @staticmethod
    def is_written(count=2):
        return harness.run("sqlite3", "-readonly", harness.STATE,
                           "select count(*) from override").stdout == f"{count}\n"


harness.main()
