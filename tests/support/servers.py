"""What a test starts beside the daemon: servers of several kinds, and certificates for them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.parse
import urllib.request

from machine import BUILD, DEADLINE_S, run, wait_until, write


class Process:
    """A program in a process group of its own, with its output in a file."""

    def __init__(self, command, log, **options):
        self.command = command
        self.log_path = log
        with open(log, "a", encoding="utf-8") as out:
            options = {"stdin": subprocess.DEVNULL, **options}
            self.popen = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True,
                                          **options)

    def log_text(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait_ready(self, condition):
        def ready_or_gone():
            return condition() or self.popen.poll() is not None
        try:
            wait_until(ready_or_gone, f"{self.command[0]} ready")
            if self.popen.poll() is not None:
                raise AssertionError(f"{' '.join(self.command)}: exit {self.popen.returncode}")
        except AssertionError:
            self.kill()
            print(self.log_text(), file=sys.stderr)
            raise

    def kill(self, number=signal.SIGKILL):
        """The whole group at once, so that an nginx has no worker left."""
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, number)
        self.popen.wait(DEADLINE_S)


class Server:
    """tests/support/test_server on one address; its head comment explains modes and settings."""

    def __init__(self, address, log, port=0, **settings):
        self.address = address
        self.port = port
        self.settings = settings
        self.log = log
        self.start()

    def start(self):
        """Also: again after kill(), on the same port."""
        options = [f"--{key}={value}" for key, value in self.settings.items()]
        quoted = f"[{self.address}]" if ":" in self.address else self.address
        if os.path.exists(self.log):
            os.unlink(self.log)
        self.process = Process([os.path.join(BUILD, "tests/support/test_server"),
                                "--control", "127.0.0.1:0", *options, f"{quoted}:{self.port}"],
                               self.log)
        self.process.wait_ready(lambda: "ready " in self.process.log_text())
        text = self.process.log_text()
        self.port = int(re.search(r"^ready .*:(\d+)$", text, re.M)[1])
        self.control = re.search(r"^control (\S+)$", text, re.M)[1]

    def kill(self):
        self.process.kill()

    def ask(self, path):
        with urllib.request.urlopen(f"http://{self.control}{path}", timeout=DEADLINE_S) as answer:
            return answer.read()

    def set(self, **settings):
        """Another behaviour from the next connection on."""
        self.ask("/_set?" + urllib.parse.urlencode(settings))

    def stats(self):
        return json.loads(self.ask("/_stats"))

    @property
    def candidate(self):
        """As it is written in a configuration."""
        return {"address": self.address, "check": {"port": self.port}}


NGINX = """
pid {folder}/nginx.pid;
daemon off;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {servers}
}}
"""


class Nginx:
    """One nginx with the server blocks given, in its own folder."""

    def __init__(self, folder, servers, listens):
        os.makedirs(folder)
        self.folder = folder
        self.listens = listens
        write(f"{folder}/nginx.conf", NGINX.format(folder=folder, servers=servers))
        self.start()

    def start(self):
        self.process = Process(["nginx", "-p", self.folder, "-c", f"{self.folder}/nginx.conf",
                                "-e", "stderr"], f"{self.folder}/log")
        self.process.wait_ready(lambda: all(map(accepts, self.listens)))

    def kill(self):
        self.process.kill()

    def access_log(self):
        """Of server blocks that say `access_log access.log;`."""
        with open(f"{self.folder}/access.log", encoding="utf-8") as log:
            return log.read()


def accepts(address_and_port):
    try:
        socket.create_connection(address_and_port, timeout=1).close()
        return True
    except OSError:
        return False


class NameServer:
    """Answers each question over UDP with what answer() says, and remembers it."""

    NAMED = b"\xc0\x0c"  # the owner of a record: the name asked for

    def __init__(self, address, port):
        self.asked = []  # (name, type) of each question so far
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, port))
        threading.Thread(target=self._serve, daemon=True).start()

    def answer(self, query, name, kind):
        """The whole message, or None for silence."""
        raise NotImplementedError

    def _serve(self):
        while True:
            query, client = self.socket.recvfrom(4096)
            question = self._question(query)
            name, kind = self._name(question), question[-3]
            self.asked.append((name, kind))
            message = self.answer(query, name, kind)
            if message is not None:
                self.socket.sendto(message, client)

    @classmethod
    def reply(cls, query, *records, code=0):
        """An answer of these records; code: 3 for NXDOMAIN and so on."""
        counts = bytes([0, 1, 0, len(records), 0, 0, 0, 0])
        return (query[:2] + bytes([0x81, 0x80 | code]) + counts + cls._question(query)
                + b"".join(records))

    @staticmethod
    def record(kind, data, ttl=0, owner=NAMED):
        return (owner + bytes([0, kind, 0, 1]) + ttl.to_bytes(4, "big")
                + len(data).to_bytes(2, "big") + data)

    @staticmethod
    def _question(query):
        return query[12:query.index(b"\0", 12) + 5]

    @staticmethod
    def _name(question):
        labels = []
        while question[0]:
            labels.append(question[1:question[0] + 1].decode())
            question = question[question[0] + 1:]
        return ".".join(labels)


class Dns(NameServer):
    """The name server of /etc/resolv.conf: every name has just this IPv4 address and, where there is
    one, this IPv6 address, for no time.

    Asked again only after a time that no machine is busy for."""

    def __init__(self, ipv4, ipv6=None):
        self.addresses = {1: socket.inet_aton(ipv4)}  # by the type of the question
        if ipv6 is not None:
            self.addresses[28] = socket.inet_pton(socket.AF_INET6, ipv6)
        write("/etc/resolv.conf", f"nameserver 127.0.0.1\noptions timeout:{DEADLINE_S}\n")
        super().__init__("127.0.0.1", 53)

    def answer(self, query, name, kind):
        found = [self.record(kind, self.addresses[kind])] if kind in self.addresses else []
        return self.reply(query, *found)


class Authority:
    """A private certificate authority, made by openssl."""

    CONFIG = ("[ca]\ndefault_ca=har\n[har]\ndatabase={0}/index\nnew_certs_dir={0}\n"
              "default_md=sha256\npolicy=any\ncopy_extensions=copy\nrand_serial=yes\n"
              "unique_subject=no\n"
              "[any]\ncommonName=supplied\n")
    KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

    def __init__(self, folder):
        os.makedirs(folder)
        self.folder = folder
        self.certificate = f"{folder}/ca.pem"
        write(f"{folder}/index", "")
        write(f"{folder}/ca.conf", self.CONFIG.format(folder))
        run("openssl", "req", "-x509", *self.KEY, "-subj", "/CN=har test authority", "-days", "2",
            "-keyout", f"{folder}/ca.key", "-out", self.certificate)

    def issue(self, name, label, expires="20491231235959Z"):
        """A certificate for the DNS name: the paths of certificate and key."""
        base = f"{self.folder}/{label}"
        run("openssl", "req", *self.KEY, "-subj", f"/CN={name}", "-addext",
            f"subjectAltName=DNS:{name}", "-keyout", f"{base}.key", "-out", f"{base}.csr")
        run("openssl", "ca", "-batch", "-notext", "-config", f"{self.folder}/ca.conf",
            "-cert", self.certificate, "-keyfile", f"{self.folder}/ca.key",
            "-startdate", "20200101000000Z", "-enddate", expires,
            "-in", f"{base}.csr", "-out", f"{base}.pem")
        return f"{base}.pem", f"{base}.key"
