"""Three nginx serve one name: the fastest answers; killed, the next one does; back, it does again.

Each nginx stands before an application of its own, which makes it as fast or slow as it is.
"""

import harness

NAME = "api.example.com"
MOVED_S = 5  # for what takes half a second of checks and three of them to believe it

harness.require("nginx")


class MainJob(harness.TestCase):
    def site(self, place, delay_ms):
        application = self.server(f"127.0.2.{place}", delay=delay_ms)
        address = f"127.0.1.{place}"
        return self.nginx(f"""server {{
            listen {address}:80;
            location / {{ proxy_pass http://{application.address}:{application.port}; }}
        }}""", (address, 80))

    def test_answer_follows_the_fastest_live_server(self):
        self.site(1, 120)
        self.site(2, 60)
        fastest = self.site(3, 5)
        self.hard({NAME: {"candidates": ["127.0.1.1", "127.0.1.2", "127.0.1.3"],
                          "switch_hold": 0,  # for a first check that this machine held up
                          "check": {"interval": "500ms"}}})
        self.assert_answer(NAME, ["127.0.1.3"])
        fastest.kill()
        self.assert_answer(NAME, ["127.0.1.2"], MOVED_S)
        fastest.start()
        self.assert_answer(NAME, ["127.0.1.3"], MOVED_S)

    def test_answer_follows_a_server_that_gets_slow(self):
        fast, slow = self.server("127.0.1.1", delay=5), self.server("127.0.1.2", delay=60)
        self.hard({NAME: {"candidates": [slow.candidate, fast.candidate],
                          "check": harness.QUICK}})
        self.assert_answer(NAME, ["127.0.1.1"])
        fast.set(delay=90)
        self.assert_answer(NAME, ["127.0.1.2"])


harness.main()
