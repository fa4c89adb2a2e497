"""Certificates for servers and clients on 127.0.0.1, and the authorities that signed them."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from tests.servers import openssl_binary

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
USAGE = ("-addext", "keyUsage=critical,digitalSignature,keyCertSign,cRLSign")
"""From Python 3.13 on, clients refuse an authority that does not say what its key is for (RFC 5280, 4.2.1.3)."""


class Certificates:
    """Certificates: `ca` signed those of `server` and `client`, the authority `other` that of `stranger`."""

    def __init__(self) -> None:
        self.openssl = openssl_binary()

    def __enter__(self) -> Self:
        self.directory = Path(tempfile.mkdtemp(prefix="diffsync-store-"))
        for name, authority in (("ca", ""), ("other", ""), ("server", "ca"), ("client", "ca"), ("stranger", "other")):
            self._make(name, authority)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

    def certificate(self, name: str) -> dict[str, str]:
        """Return redis-py's options for a client with this certificate."""
        return {**self.authority("ca"), "ssl_certfile": self.file(name, "crt"), "ssl_keyfile": self.file(name, "key")}

    def authority(self, name: str) -> dict[str, str]:
        """Return redis-py's options for a client that trusts this authority."""
        return {"ssl_ca_certs": self.file(name, "crt")}

    def of_redis(self) -> dict[str, str]:
        """TLS options of a Redis server, cluster node or Sentinel, for all of its connections."""
        files = {f"tls-{kind}-file": self.file("server", ending) for kind, ending in (("cert", "crt"), ("key", "key"))}
        trusted = {"tls-ca-cert-file": self.file("ca", "crt"), "tls-auth-clients": "yes"}
        return {**files, **trusted, "tls-replication": "yes", "tls-cluster": "yes"}

    def file(self, name: str, kind: str) -> str:
        return str(self.directory / f"{name}.{kind}")

    def _make(self, name: str, authority: str) -> None:
        subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-days", "2"]
        signer = ["-CA", self.file(authority, "crt"), "-CAkey", self.file(authority, "key")] if authority else []
        files = ["-keyout", self.file(name, "key"), "-out", self.file(name, "crt")]
        command: list[str | Path] = [self.openssl, "req", "-x509", *KEY, *USAGE, *subject, *signer, *files]
        subprocess.run(command, check=True, capture_output=True, timeout=100)
