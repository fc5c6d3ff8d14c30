"""harctl asks the running hard what goes on and why, has it check and reload, and is told no."""

import os
import stat
import threading

import harness

NAME = "api.example.com"
ALIAS = "www.example.com"
SLOW = {"interval": "1h", "timeout": "5s"}  # a check that comes when it is asked for


class Commands(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.near = self.server("127.0.1.1", delay=5)
        self.far = self.server("127.0.1.2", delay=200)
        self.host = {"aliases": [ALIAS], "switch_hold": 0, "check": harness.QUICK,
                     "candidates": [{**self.near.candidate, "name": "near"},
                                    {**self.far.candidate, "name": "far"}]}

    def test_status(self):
        self.hard({NAME: self.host, "b.example.com": {"candidates": ["192.0.2.1"],
                                                      "check": {"type": "none"}}})
        self.assert_answer(NAME, ["127.0.1.1"])
        lines = harness.harctl("status").splitlines()
        self.assertEqual(lines[1], NAME)
        self.assertRegex(lines[2], r"^  near +127.0.1.1:\d+ +up +\S+ +\S+ms +100%  ok$")
        self.assertRegex(lines[3], r"^  far +127.0.1.2:\d+ +up +\S+ +\S+ms +0%  ok$")
        self.assertRegex(lines[4], r"^b.example.com +192.0.2.1 +up +\S+ +- +100%  -$")
        self.assertEqual(len(lines), 5)
        by_alias = harness.harctl("status", ALIAS.upper() + ".").splitlines()[1:]
        self.assertEqual([line.split()[0] for line in by_alias], [NAME, "near", "far"])
        host = harness.harctl_json("status", NAME)["hosts"][0]
        self.assertEqual((host["host"], host["aliases"], host["answer"]),
                         (NAME, [ALIAS], ["127.0.1.1"]))
        self.assertEqual([e["state"] for e in host["endpoints"]], ["up", "up"])
        self.assertGreater(host["endpoints"][1]["rtt_us"], 50000)

    def test_nobody_is_well(self):
        self.near.kill()
        self.far.kill()
        self.hard({NAME: self.host})
        done = harness.harctl("status", NAME, check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("connect-refused", done.stdout)
        host, = harness.harctl_json("status", NAME)["hosts"]
        self.assertTrue(host["failing"])

    def test_explain(self):
        self.hard({NAME: self.host})
        self.assert_answer(NAME, ["127.0.1.1"])
        answer = harness.harctl_json("explain", NAME)
        self.assertEqual(answer["winner"], {"candidate": "near", "address": "127.0.1.1"})
        self.assertEqual(answer["runner_up"], {"candidate": "far", "address": "127.0.1.2"})
        self.assertGreater(answer["gap_us"], 0)
        harness.harctl("drain", NAME, "near", "--for", "1h")
        self.assertIn("near is drained for another", harness.harctl("explain", NAME))

    def test_the_last_one_is_drained_with_a_warning(self):
        hard = self.hard({NAME: self.host})
        self.assert_answer(NAME, ["127.0.1.1"])
        harness.harctl("drain", NAME, "near")
        done = harness.harctl("drain", NAME, "far", "--for", "1h", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"WARNING: {NAME}: nobody is eligible; failure_mode all answers", done.stdout)
        self.assertIn("until `harctl auto", harness.harctl("status", "-f", check=False).stdout)
        harness.harctl("drain", NAME, "middle", check=False)
        self.assertEqual([event["result"] for event in hard.events(event="control")],
                         ["ok", "ok", "refused"])

    def test_check_now(self):
        self.hard({NAME: {**self.host, "check": SLOW}})
        self.assert_answer(NAME, ["127.0.1.1"])
        asked = self.near.stats()["requests"]
        results = harness.harctl_json("check", NAME)["results"]
        self.assertEqual([result["reason"] for result in results], ["ok", "ok"])
        self.assertEqual(self.near.stats()["requests"], asked + 1)
        self.near.kill()
        done = harness.harctl("check", NAME, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("connect-refused", done.stdout)

    def test_a_name_that_does_not_resolve(self):
        self.hard({NAME: {**self.host, "candidates": ["n.example", *self.host["candidates"]]}},
                  upstreams=[])
        self.assert_answer(NAME, ["127.0.1.1"])
        done = harness.harctl("check", NAME, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"(?m)^n\.example +- +down +- +dns-failed  no answer$")
        shown = harness.harctl("status", "--failing")
        self.assertRegex(shown, r"(?m)^  n\.example +- +down +- +- +-  dns-failed$")
        self.assertIn(f"\n{NAME}: n.example has no address yet: its name does not resolve\n", shown)

    def test_a_check_that_hangs_is_waited_for_while_others_are_answered(self):
        self.hard({NAME: {**self.host, "check": {**SLOW, "timeout": "2s"}}})
        self.far.set(delay=60000)
        asked = self.far.stats()["requests"]
        results = []
        waiting = threading.Thread(
            target=lambda: results.append(harness.harctl_json("check", NAME)))
        waiting.start()
        harness.wait_until(lambda: self.far.stats()["requests"] > asked, "the check")
        self.assertEqual(harness.harctl("status", NAME).count("up"), 2)
        waiting.join()
        self.assertEqual({result["candidate"]: result["reason"]
                          for result in results[0]["results"]},
                         {"near": "ok", "far": "response-timeout"})

    def test_a_check_ends_when_its_host_leaves(self):
        hard = self.hard({NAME: {**self.host, "check": {**SLOW, "timeout": "1m"}}})
        hard.configure({"hosts": {}})
        self.far.set(delay=60000)
        asked = self.far.stats()["requests"]
        results = []
        waiting = threading.Thread(
            target=lambda: results.append(harness.harctl_json("check", NAME)))
        waiting.start()
        harness.wait_until(lambda: self.far.stats()["requests"] > asked, "the check")
        hard.reload()
        waiting.join()
        self.assertLess({result["candidate"] for result in results[0]["results"]},
                        {"near", "far"})

    def test_reload(self):
        hard = self.hard({NAME: self.host})
        hard.configure({"hosts": {NAME: self.host, "new.example.com": self.host | {"aliases": []}}})
        self.assertEqual(harness.harctl_json("reload"),
                         {"ok": True, "hosts": 2, "candidates": 4,
                          "control_socket": harness.CONTROL})
        hard.configure('{"hosts": {"a": {"candidates": ["192.0.2.300"], "intervall": 1}}}')
        done = harness.harctl("reload", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("192.0.2.300", done.stdout)
        self.assertIn("intervall", done.stdout)
        self.assertEqual(len(harness.harctl_json("status")["hosts"]), 2)
        os.unlink(hard.config_path)
        self.assertIn("No such file", harness.harctl("reload", check=False).stdout)

    def test_names_that_are_not_there(self):
        self.hard({NAME: self.host})
        for words in (("explain", "nobody.example"), ("check", "nobody.example"),
                      ("status", "nobody.example"), ("drain", NAME, "middle")):
            done = harness.harctl(*words, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stdout, "nobody.example|no candidate middle; it has near, far")

    def test_the_socket_is_for_few_and_goes_with_the_daemon(self):
        hard = self.hard({NAME: self.host})
        self.assertEqual(stat.S_IMODE(os.stat(harness.CONTROL).st_mode), 0o660)
        elsewhere = f"{self.folder}/control.sock"
        hard.configure({"control_socket": elsewhere, "hosts": {NAME: self.host}})
        self.assertIn(elsewhere, harness.harctl("reload"))
        harness.wait_until(lambda: not os.path.exists(harness.CONTROL), "the old socket is gone")
        self.assertTrue(harness.harctl_json("-s", elsewhere, "status")["ok"])
        hard.stop()
        self.assertFalse(os.path.exists(elsewhere))
        self.assertEqual(harness.harctl("-s", elsewhere, "status", check=False).returncode, 1)


harness.main()
