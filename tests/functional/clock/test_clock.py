"""The wall clock is set by hours, forward and back, while the daemon runs or while it does not:
checks go on at their pace, no server changes its state, the ranking stays valid, the state sane."""

import os
import struct
import time

import harness

NAME = "api.example.com"
FIRST, DEAD = "127.0.1.1", "127.0.1.2"
CLOCK = os.path.join(harness.BUILD, "tests/support/shifted_clock.so")
HOURS = 3600
PACE_S = 0.2


class Clock(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.clock = self.path("clock")
        with open(self.clock, "wb") as clock:
            clock.write(bytes(8))
        # A sanitizer's own library would rather come first.
        self.shifted = ["env", f"LD_PRELOAD={CLOCK}", f"HAR_SHIFTED_CLOCK={self.clock}",
                        f"ASAN_OPTIONS={os.environ.get('ASAN_OPTIONS', '')}"
                        ":verify_asan_link_order=0"]
        self.shift_s = 0
        self.server, self.dead = self.server(FIRST), self.server(DEAD)
        self.dead.kill()
        self.daemon = self.hard(
            {NAME: {"candidates": [self.dead.candidate, self.server.candidate],
                    "check": {**harness.QUICK, "interval": f"{int(PACE_S * 1000)}ms"}}},
            "-v", through=self.shifted)
        self.assertEqual(len(self.daemon.events(event="state")), 2)

    def set_clock(self, shift_s):
        """As date -s would, for the daemon and for who looks names up."""
        self.shift_s = shift_s
        fd = os.open(self.clock, os.O_WRONLY)
        os.pwrite(fd, struct.pack("q", shift_s), 0)
        os.close(fd)

    def now(self):
        return time.time() + self.shift_s

    def look_up(self):
        return harness.look_up("getaddrinfo-4", NAME,
                               program=[*self.shifted, harness.LOOKUP_CLIENT])

    def assert_pace(self):
        """By a clock that nobody sets. A busy machine may be late, and early by a check or two."""
        start, count = time.monotonic(), self.server.stats()["requests"]
        harness.wait_until(lambda: self.server.stats()["requests"] >= count + 10, "ten checks")
        self.assertGreater(time.monotonic() - start, 7 * 0.9 * PACE_S)

    def assert_valid(self):
        def ends():
            return harness.read_ranking()[NAME]["expires"] - self.now()
        harness.wait_until(lambda: 0 < ends() <= 10 * 60 + 2, "a ranking that expires in time")
        self.assertEqual(self.look_up(), FIRST)

    def assert_sane(self):
        """No time of the state is one to come, nor long ago."""
        for row in harness.read_state().values():
            last = row["last_success"] or row["last_failure"]
            self.assertTrue(0 <= self.now() - last < 60, f"last {last}, now {self.now()}")
            self.assertTrue(0 <= self.now() - row["since"] < 60, f"since {row['since']}")

    def test_set_while_it_runs(self):
        for count, shift_s in enumerate((5 * HOURS, -5 * HOURS, 0), 1):
            self.assertEqual(self.look_up(), FIRST)
            self.set_clock(shift_s)
            self.daemon.wait_event(event="clock-set", count=count)
            self.assert_valid()
            self.assert_pace()
        self.set_clock(9 * HOURS)
        self.assert_pace()
        self.daemon.stop()
        self.assert_sane()
        self.assertEqual(len(self.daemon.events(event="state")), 2)

    def test_set_back_while_it_does_not_run(self):
        self.daemon.stop()
        self.set_clock(-5 * HOURS)
        self.daemon.start()
        self.assert_valid()
        self.assert_pace()
        self.daemon.stop()
        self.assert_sane()
        self.assertEqual(len(self.daemon.events(event="state")), 2)

    def test_programs_see_the_clock_of_the_test(self):
        """Or nothing of the above says anything."""
        self.assertEqual(self.look_up(), FIRST)
        self.daemon.kill()
        self.set_clock(1 * HOURS)
        self.assertNotEqual(self.look_up(), FIRST)


harness.main()
