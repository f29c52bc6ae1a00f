"""nginx in front of servers of this machine: TLS with certificates of a private authority, and gateways that fail."""

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
OPENSSL = shutil.which("openssl")
MISSING = "nginx and openssl are needed to put TLS in front of a server"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run([str(OPENSSL), *arguments], cwd=folder, check=True, capture_output=True)


class Authority:
    """A certificate authority of one test's own."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.file = folder / f"{name}.pem"
        _openssl(
            folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip

    def certify(self, name: str, host: str, *, days: int = 2) -> Path:
        """A certificate for `host`, signed by this authority; with `days` below zero it has run out."""
        (self.folder / f"{name}.ext").write_text(
            f"subjectAltName=DNS:{host}\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
        )
        _openssl(
            self.folder, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={host}", "-keyout", f"{name}.key", "-out", f"{name}.csr",
        )  # fmt: skip
        _openssl(
            self.folder, "x509", "-req", "-in", f"{name}.csr", "-CA", self.file.name, "-CAkey", f"{self.name}.key",
            "-CAcreateserial", "-days", str(days), "-extfile", f"{name}.ext", "-out", f"{name}.crt",
        )  # fmt: skip
        return self.folder / f"{name}.crt"


@dataclass
class Gateway:
    """Servers behind one nginx: `add` them, then run it."""

    folder: Path
    servers: list[str] = field(default_factory=list[str])

    def add(self, certificate: Path, does: str) -> str:
        """A TLS server that `does` what an nginx location says; returns its address."""
        port = free_port()
        key = certificate.with_suffix(".key")
        self.servers.append(
            f"server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};"
            f" location / {{ {does} }} }}"
        )
        return f"https://localhost:{port}"

    def to(self, certificate: Path, upstream: str) -> str:
        """A TLS server in front of `upstream`."""
        return self.add(certificate, f"proxy_pass {upstream}; proxy_set_header Host $http_host;")

    @contextmanager
    def running(self) -> Iterator[None]:
        temporary = " ".join(
            f"{kind}_temp_path {self.folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root; " if os.getuid() == 0 else ""  # its workers write below pytest's private folders
        (self.folder / "nginx.conf").write_text(
            f"{user}daemon off; worker_processes 1; pid {self.folder}/nginx.pid; error_log {self.folder}/error.log;"
            f"\nevents {{}}\nhttp {{ access_log off; {temporary} client_max_body_size 8m;\n"
            + "\n".join(self.servers)
            + "\n}\n"
        )
        with (self.folder / "nginx.out").open("wb") as out:
            process = subprocess.Popen(
                [str(NGINX), "-p", str(self.folder), "-c", "nginx.conf", "-e", str(self.folder / "error.log")],
                stdout=out,
                stderr=out,
            )
        try:
            self._wait(process)
            yield
        finally:
            process.terminate()
            process.wait(10)

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        port = int(self.servers[-1].split("127.0.0.1:")[1].split()[0])
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", port), 1) as plain:
                    context = ssl.create_default_context()
                    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                    context.wrap_socket(plain, server_hostname="localhost").close()
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"nginx did not start: {(self.folder / 'error.log').read_text()}")
