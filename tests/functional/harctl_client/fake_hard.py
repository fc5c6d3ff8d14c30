"""Stands in for hard at the control socket: gives each command the answer that a test set."""

import json
import os
import socket
import threading

A = {"candidate": "a", "address": "192.0.2.1", "port": 80, "state": "up", "since_s": 3725,
     "override": None, "class": "eligible", "rtt_us": 12345, "connect_us": 4100,
     "total_us": 12345, "reason": "ok", "detail": "status 200", "weight": 100, "priority": 0,
     "share": 1.0}
B = {**A, "candidate": "lettré", "address": "2001:db8::2", "since_s": 59, "class": "drained",
     "override": {"kind": "drain", "expires_s": 3480, "reason": "upgrade"}, "rtt_us": 1500499,
     "share": 0.0}
C = {**A, "candidate": "c.example.net", "address": None, "port": 0, "state": "unknown",
     "since_s": None, "class": "unknown", "rtt_us": None, "connect_us": None, "total_us": None,
     "reason": None, "detail": None, "share": 0.0}
HOST = {"host": "api.example.com", "aliases": [], "status": "answer", "answer": ["192.0.2.1"],
        "answers": 1, "failing": False, "failure_mode": "all", "restored": False,
        "local_fault": None, "selection": "best_rtt", "endpoints": [A, B, C],
        "names": [{"candidate": "c.example.net", "state": "unknown", "problem": None}]}
STATUS = {"ok": True, "version": "0.1.0", "local_fault": None, "hosts": [HOST]}
EXPLAIN = {"ok": True, "version": "0.1.0", "local_fault": None, "host": HOST,
           "winner": {"candidate": "a", "address": "192.0.2.1"},
           "runner_up": {"candidate": "lettré", "address": "2001:db8::2"},
           "gap_us": -1500, "needed_us": 10000, "held_s": 12,
           "why": ["lettré is drained for another 58m"]}
RESULT = {"candidate": "a", "address": "192.0.2.1", "port": 80, "reason": "ok",
          "detail": "status 200", "connect_us": 4100, "total_us": 12345, "state": "up"}
CHECK = {"ok": True, "host": "api.example.com", "results": [RESULT]}
OVERRIDE = {"ok": True, "host": "api.example.com", "candidate": "a",
            "override": {"kind": "drain", "expires_s": 7200, "reason": None},
            "answer": ["192.0.2.2", "2001:db8::2"], "failing": False, "status": "answer",
            "failure_mode": "all"}
RELOAD = {"ok": True, "hosts": 2, "candidates": 5}


class FakeHard:
    """Listens at path. answer is what every request gets: an object, or bytes as they are."""

    def __init__(self, path, answer=None, mode=0o660):
        self.path = path
        self.answer = answer
        self.requests = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, mode)
        self.listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                line = lines.readline()
                self.requests.append(json.loads(line))
                answer = self.answer
                if not isinstance(answer, bytes):
                    answer = json.dumps(answer).encode() + b"\n"
                connection.sendall(answer)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
