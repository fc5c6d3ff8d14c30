"""Programs of many kinds reach the live server by name through nsswitch.conf, and no other."""

import os
import sys

import harness

NAME = "www.example.com"
PYTHON = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"
PERL = "my $answer = HTTP::Tiny->new->get($ARGV[0]); print $answer->{content}"
NODE = "require('http').get(process.argv[1], answer => answer.pipe(process.stdout))"
NODE_LOOKUP = "require('dns').lookup(process.argv[1], (error, address) => console.log(address))"
JAVA = """
class Fetch {
    public static void main(String[] arguments) throws Exception {
        new java.net.URL(arguments[0]).openStream().transferTo(System.out);
    }
}
"""
FETCHERS = {
    "curl": ["curl", "--silent", "--show-error"],
    "wget": ["wget", "--quiet", "--output-document=-"],
    "python3": [sys.executable, "-c", PYTHON],
    "perl": ["perl", "-MHTTP::Tiny", "-e", PERL],
    "node": ["node", "-e", NODE],
    "java": ["java", "-XX:TieredStopAtLevel=1", "Fetch.java"],  # without a cache between two runs
    "git": ["git", "ls-remote"],
}
# What fails once it is connected, but says where.
CALLERS = {
    "ssh": (22, ["ssh", "-v", "-F", "none", "-o", "BatchMode=yes", NAME],
            "Connecting to {name} [{address}] port 22"),
    "psql": (5432, ["psql", f"host={NAME} user=har dbname=har sslmode=disable gssencmode=disable"],
             'connection to server at "{name}" ({address}), port 5432 failed'),
}
# All that a site says. git takes it for a list of branches.
SITE = """server {{
    listen {address}:80;
    access_log access.log;
    location / {{ return {status} "0123456789abcdef0123456789abcdef01234567\trefs/{address}\n"; }}
}}"""

harness.require("nginx", "ssh", "psql", *(command[0] for command in FETCHERS.values()))


class Clients(harness.TestCase):
    def site(self, place, status=200):
        address = f"127.0.1.{place}"
        return self.nginx(SITE.format(address=address, status=status), (address, 80))

    def run_client(self, *command, **options):
        """Where no configuration of a user's is in the way."""
        environment = {**os.environ, "HOME": self.folder, "GIT_CONFIG_NOSYSTEM": "1"}
        return harness.run(*command, cwd=self.folder, env=environment, **options).stdout

    def assert_fetched_from(self, address):
        for label, command in FETCHERS.items():
            with self.subTest(label):
                text = self.run_client(*command, f"http://{NAME}/asked-by-{label}")
                self.assertEqual(text.split()[-1:], [f"refs/{address}"])

    def assert_called(self, address):
        for label, (port, command, says) in CALLERS.items():
            with self.subTest(label):
                server = self.server(address, port=port, mode="drop")
                text = self.run_client(*command, check=False)
                self.assertIn(says.format(name=NAME, address=address), text)
                self.assertGreater(server.stats()["connections"], 0)

    def assert_looked_up(self, address):
        self.assertEqual(self.run_client("node", "-e", NODE_LOOKUP, NAME).strip(), address)
        self.assertEqual(harness.getent(NAME, service=None), [address])

    def assert_all_reach(self, address):
        self.assert_fetched_from(address)
        self.assert_called(address)
        self.assert_looked_up(address)

    def test_clients_reach_the_live_server(self):
        harness.write(f"{self.folder}/Fetch.java", JAVA)
        failing, good, spare = self.site(1, 503), self.site(2), self.site(3)
        self.hard({NAME: {"candidates": ["127.0.1.1", "127.0.1.2", "127.0.1.3"],
                          "selection": "ordered", "check": harness.QUICK}})
        self.assert_all_reach("127.0.1.2")
        good.kill()
        self.assert_answer(NAME, ["127.0.1.3"], service=None)
        self.assert_all_reach("127.0.1.3")

        self.assertNotIn("asked-by", failing.access_log())
        for label in FETCHERS:
            self.assertIn(f"asked-by-{label}", good.access_log())
            self.assertIn(f"asked-by-{label}", spare.access_log())

    def test_other_names_go_on_to_the_next_service(self):
        self.site(1)
        self.hard({NAME: {"candidates": ["127.0.1.1"]}})
        harness.set_nsswitch("har [!UNAVAIL=return] files")
        self.addCleanup(harness.set_nsswitch)
        self.assertEqual(harness.getent("localhost", service=None), ["127.0.0.1"])


harness.main()
