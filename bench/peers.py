"""The checkers that `check` compares and the nginx that they ask, each with its configuration.

All ask the same: GET /health as HTTP/1.1 with the same Host header, one connection a check, every
INTERVAL_S seconds of every endpoint. An endpoint is a loopback address of its own; one nginx
answers on all of them, and counts."""

import http.client
import json
import re

from common import Daemon, built, call, version

INTERVAL_S = 2  # the least that gdnsd takes
TIMEOUT_S = 1
PORT = 8080
STATUS_PORT = 8090
PATH = "/health"
HOST = "www.example.com"

NGINX = """
daemon off; worker_processes 1; pid {work}/nginx.pid; error_log {work}/nginx.error error;
worker_rlimit_nofile 16384;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    client_body_temp_path {work}/nginx.body; proxy_temp_path {work}/nginx.proxy;
    fastcgi_temp_path {work}/nginx.fastcgi; uwsgi_temp_path {work}/nginx.uwsgi;
    scgi_temp_path {work}/nginx.scgi;
    server {{ listen {port} backlog=4096; location / {{ return 200 "ok\\n"; }} }}
    server {{ listen 127.0.0.1:{status_port}; location / {{ stub_status; }} }}
}}
"""

GDNSD = """
options => {{ listen => 127.0.0.1, dns_port => 5300, run_dir => {work}/gdnsd.run,
              state_dir => {work}/gdnsd.state }}
service_types => {{
    web => {{ plugin => http_status, port => {port}, url_path => {path}, vhost => {host},
              interval => {interval}, timeout => {timeout} }}
}}
plugins => {{ multifo => {{
    service_types => web,
{resources}
}} }}
"""

HAPROXY = """
global
    nbthread 1
defaults
    mode http
    timeout connect {timeout}s
    timeout client 10s
    timeout server 10s
    timeout check {timeout}s
    option httpchk
    http-check send meth GET uri {path} ver HTTP/1.1 hdr Host {host} hdr Connection close
    default-server check inter {interval}s
frontend unused
    bind 127.0.0.1:8081
{backends}
"""

COMMON = {"port": PORT, "status_port": STATUS_PORT, "path": PATH, "host": HOST,
          "interval": INTERVAL_S, "timeout": TIMEOUT_S}


def groups(hosts, candidates):
    """For each host its list of addresses; no address twice."""
    addresses = (f"127.1.{place // 250}.{place % 250 + 1}" for place in range(hosts * candidates))
    return [[next(addresses) for _ in range(candidates)] for _ in range(hosts)]


class Nginx(Daemon):
    def __init__(self, work):
        conf = work / "nginx.conf"
        conf.write_text(NGINX.format(work=work, **COMMON))
        command = ["nginx", "-e", work / "nginx.error", "-c", conf, "-p", work]
        super().__init__("nginx", command, work)
        self.own = 0
        self.wait_for_port("127.0.0.1", PORT)

    def requests(self):
        """How many requests it has answered so far, ours for this figure left out."""
        connection = http.client.HTTPConnection("127.0.0.1", STATUS_PORT, timeout=5)
        connection.request("GET", "/")
        text = connection.getresponse().read().decode()
        connection.close()
        self.own += 1
        return int(re.search(r"^ \d+ \d+ (\d+)", text, re.M).group(1)) - self.own


class Hard(Daemon):
    def __init__(self, work, config):
        super().__init__("hard", [built("hard/hard"), "-c", config], work)

    @staticmethod
    def version(_):
        return re.search(r"\d\S*", call(built("hard/hard"), "-V")).group(0)


def hard_hosts(candidates):
    return {f"svc-{place:06}.eu.example.com": {"candidates": own}
            for place, own in enumerate(candidates)}


def hard_config(work, hosts, selection="ordered", interval_s=INTERVAL_S, ranking=None):
    """Writes har.json. Returns its path."""
    check = {"port": PORT, "path": PATH, "host": HOST, "interval": f"{interval_s}s",
             "timeout": f"{TIMEOUT_S}s"}
    path = work / "har.json"
    restless = {"switch_margin": 0, "switch_ratio": 0, "switch_hold": 0}
    path.write_text(json.dumps({"ranking_db": str(ranking or work / "ranking.db"),
                                "state_db": str(work / "state.db"),
                                "control_socket": str(work / "control.sock"),
                                "defaults": {"selection": selection, "check": check, **restless},
                                "hosts": hosts}))
    return path


class Gdnsd(Daemon):
    def __init__(self, work, candidates):
        for folder in ("gdnsd/zones", "gdnsd.run", "gdnsd.state"):
            (work / folder).mkdir(parents=True, exist_ok=True)
        resources = "\n".join(f"    h{place} => [ {', '.join(own)} ]"
                              for place, own in enumerate(candidates))
        config = GDNSD.format(work=work, resources=resources, **COMMON)
        (work / "gdnsd/config").write_text(config)
        super().__init__("gdnsd", ["gdnsd", "-c", work / "gdnsd", "start"], work)

    @staticmethod
    def version(work):  # it says so in its log alone
        return re.search(r"version (\S+)", (work / "gdnsd.log").read_text()).group(1)


class Haproxy(Daemon):
    def __init__(self, work, candidates):
        lines = []
        for place, own in enumerate(candidates):
            lines.append(f"backend h{place}")
            lines += (f"    server s{i} {address}:{PORT}" for i, address in enumerate(own))
        conf = work / "haproxy.cfg"
        conf.write_text(HAPROXY.format(backends="\n".join(lines), **COMMON))
        super().__init__("haproxy", ["haproxy", "-db", "-f", conf], work)

    @staticmethod
    def version(_):
        return version("haproxy")
