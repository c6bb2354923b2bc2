"""What stands between an emitter and its server: proxies, redirects, certificates. Nothing is lost, and it is said."""

import os
import ssl
import subprocess
import unittest
from unittest import mock

from support import FOLDER, WAIT_MAX_S, EmitterTest, ScriptedServer, free_port, runlog, take, wait_until


def page(status, **headers):
    """An answer as proxies give it."""

    def step(exchange):
        exchange.lines()
        body = b"<html><body>no</body></html>"
        exchange.handler.send_response(status)
        for name, value in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
            exchange.handler.send_header(name, value)
        exchange.handler.send_header("Content-Length", str(len(body)))
        exchange.handler.end_headers()
        exchange.handler.wfile.write(body)

    return step


class WireTest(EmitterTest):
    def said(self, url, environment=None):
        """What is logged of a server that does not take events, while they stay in memory or in the spool."""
        with self.assertLogs("runlog", "WARNING") as logs, mock.patch.dict(os.environ, environment or {}):
            run = self.start(url)
            run.emit("X", index=1)
            wait_until(lambda: run._emitter.notices.given("away"))
            run.close(0.1)
        self.assertEqual([line["data"] for line in self.spooled_lines()], [{"index": 1}])
        return next(line for line in logs.output if "does not take events" in line)

    def test_a_page_of_a_proxy_is_named_and_nothing_is_lost(self):
        for status in (400, 403, 404, 405, 407, 502):
            server = self.server(*[page(status)] * 3)
            run = self.start(server.url)
            with self.subTest(status), self.assertLogs("runlog", "WARNING") as logs:
                run.emit("X")
                self.assertTrue(run.flush(WAIT_MAX_S))
                self.assertEqual(len(server.of_type("X")), 1)
                self.assertIn(f"HTTP {status} with text/html, which runlog does not send: a proxy", logs.output[0])

    def test_a_page_that_says_it_is_well_is_no_answer(self):
        self.assertIn(
            "HTTP 200 whose body is not runlog's but text/html", self.said(self.server(otherwise=page(200)).url)
        )

    def test_an_answer_without_a_body_ends_with_its_head(self):
        server = self.server(lambda exchange: (exchange.lines(), exchange.handler.send_response(204),
                                               exchange.handler.end_headers()))  # fmt: skip
        run = self.start(server.url)
        run.emit("X")
        self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertEqual(len(server.requests), 2)

    def test_a_redirect_is_not_followed_and_says_which_address_to_use(self):
        for status in (301, 302, 307, 308):
            with self.subTest(status):
                server = self.server(page(status, Location="https://log.example/v1/events"))
                run = self.start(server.url)
                with self.assertLogs("runlog", "WARNING") as logs:
                    run.emit("X")
                    self.assertTrue(run.flush(WAIT_MAX_S))
                self.assertIn(f"HTTP {status}, it redirects: use url='https://log.example'", logs.output[0])
        server = self.server(page(308, Location="/below/v1/events"))
        with self.assertLogs("runlog", "WARNING") as logs:
            run = self.start(server.url)
            run.emit("X")
            self.assertTrue(run.flush(WAIT_MAX_S))
        self.assertIn(f"use url='{server.url}/below'", logs.output[0])

    def test_a_proxy_in_the_environment_is_named_when_the_server_is_out_of_reach(self):
        port = free_port()
        environment = {"http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
        self.assertIn("a proxy is set, but the emitter uses none", self.said(f"http://127.0.0.1:{port}", environment))

    def test_a_proxy_that_is_not_for_this_host_is_not_named(self):
        environment = {"http_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1"}
        self.assertNotIn("proxy", self.said(f"http://127.0.0.1:{free_port()}", environment))


class CertificateTest(EmitterTest):
    def setUp(self):
        super().setUp()
        self.authority = os.path.join(self.folder, "authority.pem")
        self.certificate = os.path.join(self.folder, "certificate.pem")
        new = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ]
        own = os.path.join(self.folder, "authority.key")
        key = self.certificate + ".key"
        self.openssl(*new, "-keyout", own, "-out", self.authority, "-subj", "/CN=Private Authority")
        self.openssl(*new, "-keyout", key, "-out", self.certificate, "-subj", "/CN=server", "-addext",
                     "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
                     "-CA", self.authority, "-CAkey", own)  # fmt: skip
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, key)

    def openssl(self, *arguments):
        subprocess.run(arguments, check=True, capture_output=True)

    def secure_server(self):
        server = ScriptedServer(otherwise=take, tls=self.context)
        self.addCleanup(server.close)
        return server

    def train(self, url, **environment):
        source = """
import logging, os, runlog
logging.basicConfig(format="%(message)s")
run = runlog.start('r1', url=os.environ['URL'], options=runlog.Options(away_after=0.05, exit_timeout=1))
run.emit('X', index=1)
run.close()
"""
        process = self.script(source, URL=url, **environment)
        return process.communicate(timeout=4 * WAIT_MAX_S)[1]

    def test_a_private_authority_is_named_by_the_environment(self):
        server = self.secure_server()
        errors = self.train(server.url, SSL_CERT_FILE=self.authority)
        self.assertEqual((errors, len(server.of_type("X"))), ("", 1))

    def test_without_it_nothing_is_sent_or_lost_and_it_is_said_what_to_do(self):
        server = self.secure_server()
        errors = self.train(server.url)
        self.assertIn("CERTIFICATE_VERIFY_FAILED", errors)
        self.assertIn("SSL_CERT_FILE names the file", errors)
        self.assertEqual(len(self.spooled_lines()), 1)
        child = subprocess.run(
            ["python3", os.path.join(FOLDER, "runlog.py"), "drain", self.spool],
            env={**os.environ, "SSL_CERT_FILE": self.authority},
            capture_output=True,
        )
        self.assertEqual((child.returncode, len(server.of_type("X"))), (0, 1))

    def test_a_server_without_tls_is_said(self):
        server = self.server()
        self.assertIn("use http://", self.train(server.url.replace("http:", "https:"), SSL_CERT_FILE=self.authority))
        self.assertEqual(len(self.spooled_lines()), 1)


class ManyEmittersTest(EmitterTest):
    def test_hundreds_of_emitters_in_one_process_end_together_and_lose_nothing(self):
        source = f"""
import logging, os, time, runlog
logging.getLogger('runlog').setLevel(logging.CRITICAL)
options = runlog.Options(away_after=0.05, backoff_min=0.1, exit_timeout=3, heartbeat_interval=0.5)
runs = [runlog.start('r1', group=f'g{{i % 7}}', url='http://127.0.0.1:{free_port()}', options=options)
        for i in range(150)]
for i in range(20):
    for run in runs: run.emit('X', index=i)
began = time.monotonic()
runlog._close_all()
print(time.monotonic() - began < 60, len(runlog._emitters))
"""
        out, errors = self.script(source).communicate(timeout=4 * WAIT_MAX_S)
        self.assertEqual((out, errors), ("True 0\n", ""))
        lines = [line for line in self.spooled_lines() if line["event_type"] == "X"]
        self.assertEqual(len(lines), 150 * 20)
        self.assertEqual(len({line["emitter_id"] for line in lines}), 150)
        server = self.server()
        self.assertEqual(runlog.drain(self.spool, url=server.url)[1:], (0, 0, 0, 0))
        self.assertEqual(len(server.of_type("X")), 150 * 20)
        self.assertEqual(os.listdir(self.spool), [])


if __name__ == "__main__":
    unittest.main()
