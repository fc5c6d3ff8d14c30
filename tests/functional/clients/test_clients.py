"""getent, curl, wget and python3 reach the live server by name through nsswitch.conf, no other."""

import sys

import harness

NAME = "www.example.com"
FETCH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"
CLIENTS = {
    "curl": ["curl", "--silent", "--show-error"],
    "wget": ["wget", "--quiet", "--output-document=-"],
    "python3": [sys.executable, "-c", FETCH],
}

harness.require("nginx", "curl", "wget")


class Clients(harness.TestCase):
    def site(self, place, status):
        address = f"127.0.1.{place}"
        return self.nginx(f"""server {{
            listen {address}:80;
            access_log access.log;
            location / {{ return {status} "this is {address}"; }}
        }}""", (address, 80))

    def assert_all_reach(self, address):
        for label, command in CLIENTS.items():
            with self.subTest(label):
                done = harness.run(*command, f"http://{NAME}/asked-by-{label}")
                self.assertEqual(done.stdout.strip(), f"this is {address}")
        self.assertEqual(harness.getent(NAME, service=None), [address])

    def test_clients_reach_the_live_server(self):
        failing, good, spare = self.site(1, 503), self.site(2, 200), self.site(3, 200)
        self.hard({NAME: {"candidates": ["127.0.1.1", "127.0.1.2", "127.0.1.3"],
                          "selection": "ordered", "check": harness.QUICK}})
        self.assert_all_reach("127.0.1.2")
        good.kill()
        self.assert_answer(NAME, ["127.0.1.3"], service=None)
        self.assert_all_reach("127.0.1.3")

        self.assertNotIn("asked-by", failing.access_log())
        for label in CLIENTS:
            self.assertIn(f"asked-by-{label}", good.access_log())
            self.assertIn(f"asked-by-{label}", spare.access_log())

    def test_other_names_go_on_to_the_next_service(self):
        self.site(1, 200)
        self.hard({NAME: {"candidates": ["127.0.1.1"]}})
        harness.set_nsswitch("har [!UNAVAIL=return] files")
        self.addCleanup(harness.set_nsswitch)
        self.assertEqual(harness.getent("localhost", service=None), ["127.0.0.1"])


harness.main()
