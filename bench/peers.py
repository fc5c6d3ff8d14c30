"""The checkers that `check` and `failover` compare and the nginx that they ask; and what `check`
configures of each.

All ask the same: GET /health as HTTP/1.1 with the same Host header, one connection a check. For
`check` every INTERVAL_S seconds of every endpoint. An endpoint is a loopback address of its own;
one nginx answers on all of them, and counts."""

import http.client
import json
import re
import time

from common import Daemon, Failure, built, call, version

INTERVAL_S = 2  # the least that gdnsd takes
TIMEOUT_S = 1
PORT = 8080
STATUS_PORT = 8090
PATH = "/health"
HOST = "www.example.com"

NGINX = """
daemon off; master_process {master}; worker_processes 1;
pid {work}/{name}.pid; error_log {work}/nginx.error error;
worker_rlimit_nofile 16384;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    client_body_temp_path {work}/nginx.body; proxy_temp_path {work}/nginx.proxy;
    fastcgi_temp_path {work}/nginx.fastcgi; uwsgi_temp_path {work}/nginx.uwsgi;
    scgi_temp_path {work}/nginx.scgi;
    {servers}
}}
"""

COUNTED = f"""
    server {{ listen {PORT} backlog=4096; location / {{ return 200 "ok\\n"; }} }}
    server {{ listen 127.0.0.1:{STATUS_PORT}; location / {{ stub_status; }} }}
"""

GDNSD = """
options => {{ listen => 127.0.0.1, run_dir => {work}/gdnsd.run,
              state_dir => {work}/gdnsd.state }}
service_types => {{
    web => {{ plugin => http_status, port => {port}, url_path => {path}, vhost => {host},
              interval => {interval}, timeout => {timeout}{thresholds} }}
}}
plugins => {{ {plugin} => {{
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
    default-server check {timing}
{proxies}
"""

COMMON = {"port": PORT, "path": PATH, "host": HOST, "interval": INTERVAL_S, "timeout": TIMEOUT_S}


def groups(hosts, candidates):
    """For each host its list of addresses; no address twice."""
    addresses = (f"127.1.{place // 250}.{place % 250 + 1}" for place in range(hosts * candidates))
    return [[next(addresses) for _ in range(candidates)] for _ in range(hosts)]


class Web(Daemon):
    """An nginx with these server blocks; with master="off" it is a single process."""

    def __init__(self, work, name, servers, master="on", connections=16384):
        conf = work / f"{name}.conf"
        conf.write_text(NGINX.format(work=work, name=name, servers=servers, master=master,
                                     connections=connections))
        command = ["nginx", "-e", work / "nginx.error", "-c", conf, "-p", work]
        super().__init__(name, command, work)


class Nginx(Web):
    def __init__(self, work):
        super().__init__(work, "nginx", COUNTED)
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


def hard_config(work, hosts, selection="ordered", interval_s=INTERVAL_S, ranking=None, **more):
    """Writes har.json; more: keys of its checks. Returns its path."""
    check = {"port": PORT, "path": PATH, "host": HOST, "interval": f"{interval_s}s",
             "timeout": f"{TIMEOUT_S}s", **more}
    path = work / "har.json"
    restless = {"switch_margin": 0, "switch_ratio": 0, "switch_hold": 0}
    path.write_text(json.dumps({"ranking_db": str(ranking or work / "ranking.db"),
                                "state_db": str(work / "state.db"),
                                "control_socket": str(work / "control.sock"),
                                "defaults": {"selection": selection, "check": check, **restless},
                                "hosts": hosts}))
    return path


class Gdnsd(Daemon):
    def __init__(self, work, config, zones=()):
        for folder in ("gdnsd/zones", "gdnsd.run", "gdnsd.state"):
            (work / folder).mkdir(parents=True, exist_ok=True)
        (work / "gdnsd/config").write_text(config)
        for name, zone in zones:
            (work / "gdnsd/zones" / name).write_text(zone)
        super().__init__("gdnsd", ["gdnsd", "-c", work / "gdnsd", "start"], work)

    @staticmethod
    def version(work):  # it says so in its log alone
        return re.search(r"version (\S+)", (work / "gdnsd.log").read_text()).group(1)


def gdnsd_config(work, candidates):
    resources = "\n".join(f"    h{place} => [ {', '.join(own)} ]"
                          for place, own in enumerate(candidates))
    return GDNSD.format(work=work, thresholds="", plugin="multifo", resources=resources, **COMMON)


class Haproxy(Daemon):
    def __init__(self, work, config):
        conf = work / "haproxy.cfg"
        conf.write_text(config)
        super().__init__("haproxy", ["haproxy", "-db", "-f", conf], work)

    @staticmethod
    def version(_):
        return version("haproxy")


def haproxy_config(_, candidates):
    lines = ["frontend unused", "    bind 127.0.0.1:8081"]
    for place, own in enumerate(candidates):
        lines.append(f"backend h{place}")
        lines += (f"    server s{i} {address}:{PORT}" for i, address in enumerate(own))
    return HAPROXY.format(timing=f"inter {INTERVAL_S}s", proxies="\n".join(lines), **COMMON)


def measure(tool, nginx, rate, window_s, warm_up_s):
    """Figures of one tool, running alone, over a window after its warm-up. Fails unless it makes
    that rate of checks a second."""
    time.sleep(warm_up_s)
    tool.check()
    began, ticks = time.monotonic(), tool.cpu_ticks()
    cpu_ns, requests = tool.cpu_ns(), nginx.requests()
    time.sleep(window_s)
    tool.check()
    cpu_ns, checks = tool.cpu_ns() - cpu_ns, nginx.requests() - requests
    took_s = time.monotonic() - began
    user, system = (now - before for now, before in zip(tool.cpu_ticks(), ticks))
    if not 0.9 * rate <= checks / took_s <= 1.1 * rate:
        raise Failure(f"{tool.name} makes {checks / took_s:.0f} checks a second instead of "
                      f"{rate:.0f}; its log ends with:\n{tool.tail()}")
    return {
        "checks": checks,
        "rate": checks / took_s,
        "cores": cpu_ns / 1e9 / took_s,
        "us": cpu_ns / 1000 / checks,
        "user": user / max(user + system, 1),
        "mib": tool.resident_mib(),
    }
