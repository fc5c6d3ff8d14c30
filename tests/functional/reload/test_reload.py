"""SIGHUP: a good configuration is taken over, keeping what is known; a bad one changes nothing."""

import json
import os
import subprocess

import harness

ONE, TWO, THREE = "one.example.com", "two.example.com", "three.example.com"


class Reload(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.servers = [self.server(f"127.0.1.{place}") for place in (1, 2, 3)]

    def host(self, *places):
        return {"candidates": [self.servers[place - 1].candidate for place in places],
                "selection": "ordered", "check": harness.QUICK}

    def requests(self, place):
        return self.servers[place - 1].stats()["requests"]

    def reload(self, hard, hosts):
        hard.configure({"hosts": hosts})
        hard.reload()

    def test_hosts_come_and_go(self):
        hard = self.hard({ONE: self.host(1), TWO: self.host(2)})
        self.assert_answer(TWO, ["127.0.1.2"])
        self.reload(hard, {ONE: self.host(1), THREE: self.host(3)})
        self.assert_answer(THREE, ["127.0.1.3"])
        self.assert_answer(TWO, [])
        self.assertEqual(harness.getent(ONE), ["127.0.1.1"])

        # A host that is gone is checked no more: not while another one is checked five times.
        hard.wait_event(event="reload")
        before, mark = self.requests(2), self.requests(1)
        harness.wait_until(lambda: self.requests(1) >= mark + 5, "five more checks of one")
        self.assertLessEqual(self.requests(2), before)

    def test_reloads_while_checks_begin_and_end(self):
        """Hosts that come and go at any moment of a check leave nothing behind that a later one
        could trip over; the sanitizers watch."""
        self.servers[1].set(mode="hang")
        fast = {**harness.QUICK, "interval": "100ms", "fast_interval": "100ms", "timeout": "100ms"}

        def hosts(count, **check):
            return {f"host-{number}.example.com": {**self.host(1, 2, 3), "check": {**fast, **check}}
                    for number in range(count)}

        variants = [hosts(60), hosts(20), hosts(40, method="HEAD")]
        hard = self.hard(variants[0])
        for number in range(90):
            before = len(hard.events(event="reload"))
            self.reload(hard, variants[number % 3])
            hard.wait_event(event="reload", count=before + 1)
        self.reload(hard, {ONE: self.host(1)})
        self.assert_answer(ONE, ["127.0.1.1"])

    def test_a_shorter_interval_counts_at_once(self):
        slow = {**self.host(1), "check": {**harness.QUICK, "interval": "1h"}}
        hard = self.hard({ONE: slow})
        before = self.requests(1)
        self.reload(hard, {ONE: self.host(1)})
        harness.wait_until(lambda: self.requests(1) >= before + 3, "checks at the new interval")

    def test_a_second_daemon_is_refused(self):
        first = self.hard({ONE: self.host(1)})
        self.assert_answer(ONE, ["127.0.1.1"])
        for other, message in (("state_db", "another hard publishes there"),
                               ("ranking_db", "another hard keeps its state there")):
            path = f"{self.folder}/second.json"
            harness.write(path, json.dumps({other: f"{self.folder}/{other}",
                                            "hosts": {TWO: self.host(2)}}))
            second = subprocess.run([harness.HARD, "-c", path], stderr=subprocess.PIPE,
                                    text=True, timeout=harness.DEADLINE_S)
            self.assertEqual(second.returncode, 1)
            self.assertIn(message, second.stderr)
        self.assertEqual(harness.getent(ONE), ["127.0.1.1"])
        self.assertEqual(first.events(event="publish-failed"), [])

    def test_state_is_kept_and_a_changed_check_starts_anew(self):
        self.servers[0].kill()
        hard = self.hard({ONE: self.host(1, 2), TWO: self.host(1, 2)})
        self.assert_answer(ONE, ["127.0.1.2"])
        changed = self.host(1, 2)
        changed["check"] = {**harness.QUICK, "path": "/health"}
        self.reload(hard, {ONE: self.host(1, 2), TWO: changed, THREE: self.host(1, 2)})
        for name, times in ((ONE, 1), (TWO, 2), (THREE, 1)):
            hard.wait_event(event="state", host=name, state="down", count=times)
            self.assert_answer(name, ["127.0.1.2"])
        self.assertEqual(len(hard.events(event="state", host=ONE)), 1)
        harness.wait_until(lambda: self.servers[1].stats()["line"] == "GET /health HTTP/1.1",
                           "a check of the new path")

    def test_bad_configuration_keeps_the_old_one(self):
        hard = self.hard({ONE: self.host(1, 2)})
        self.reload(hard, {ONE: {**self.host(3), "selecton": "ordered", "ttl": "-1s"},
                           TWO: {"candidates": []}})
        hard.wait_event(event="reload-failed", count=3)
        errors = " ".join(event["error"] for event in hard.events(event="reload-failed"))
        for wanted in (f'hosts["{ONE}"].selecton', "selection", f'hosts["{ONE}"].ttl',
                       f'hosts["{TWO}"].candidates'):
            self.assertIn(wanted, errors)
        self.assertEqual(harness.getent(ONE), ["127.0.1.1"])
        self.servers[0].kill()
        self.assert_answer(ONE, ["127.0.1.2"])

        self.reload(hard, {ONE: self.host(3)})
        self.assert_answer(ONE, ["127.0.1.3"])
        self.assertEqual(len(hard.events(event="reload-failed")), 3)

    def test_truncated_and_missing_files_keep_the_old_one(self):
        hard = self.hard({ONE: self.host(1)})
        hard.configure('{"hosts": {')
        hard.reload()
        event = hard.wait_event(event="reload-failed")
        self.assertRegex(event["error"], r"har\.json:\d+:\d+: ")
        os.unlink(hard.config_path)
        hard.reload()
        hard.wait_event(event="reload-failed", count=2)
        self.assertEqual(harness.getent(ONE), ["127.0.1.1"])

    def test_files_of_hosts_d_belong_to_it(self):
        hard = self.hard({ONE: self.host(1)})
        folder = f"{hard.folder}/hosts.d"
        os.mkdir(folder)
        harness.write(f"{folder}/two.json", json.dumps({TWO: self.host(2)}))
        harness.write(f"{folder}/three.json.off", json.dumps({THREE: self.host(3)}))
        hard.reload()
        self.assert_answer(TWO, ["127.0.1.2"])
        self.assertEqual(harness.getent(THREE), [])

        harness.write(f"{folder}/again.json", json.dumps({TWO: self.host(3)}))
        hard.reload()
        event = hard.wait_event(event="reload-failed")
        for wanted in (TWO, "again.json", "two.json"):
            self.assertIn(wanted, event["error"])
        self.assertEqual(harness.getent(TWO), ["127.0.1.2"])


harness.main()
