"""A certificate authority for tests, made with the openssl command line."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
# openssl's own configuration adds extensions that contradict ours.
_CONFIGURATION: Final = "[req]\ndistinguished_name = subject\n[subject]\n"
_LOCAL_NAMES: Final = ("IP:127.0.0.1", "IP:::1", "DNS:localhost")


@dataclass(frozen=True)
class Identity:
    """A server's certificate and key, as files in PEM form."""

    certificate: Path
    key: Path

    @property
    def both(self) -> Path:
        """Certificate and key in one file, as mongod wants them."""
        path = self.certificate.with_suffix(".pem")
        path.write_bytes(self.certificate.read_bytes() + self.key.read_bytes())
        return path


class Authority:
    """An authority in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self.certificate = folder / "ca.crt"
        self.key = folder / "ca.key"
        (folder / "openssl.cnf").write_text(_CONFIGURATION)
        extensions = (
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        )
        self._openssl("-x509", *_KEY, "-keyout", "ca.key", "-out", "ca.crt", "-subj", f"/CN={folder.name}", *extensions)

    def issue(self, name: str, names: tuple[str, ...] = _LOCAL_NAMES, *, expired: bool = False) -> Identity:
        """Return a server certificate for these names, as openssl writes them; one that has expired has been valid."""
        dates = ("-startdate", "20200101000000Z", "-enddate", "20200201000000Z") if expired else ("-days", "2")
        self._openssl("-new", *_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (self._folder / f"{name}.cnf").write_text(
            f"[own]\nsubjectAltName={','.join(names)}\nextendedKeyUsage=serverAuth\nauthorityKeyIdentifier=keyid\n"
        )
        self._sign(name, dates)
        return Identity(self._folder / f"{name}.crt", self._folder / f"{name}.key")

    def _sign(self, name: str, dates: tuple[str, ...]) -> None:
        (self._folder / "index.txt").touch()
        (self._folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\n"
            "policy=any\nunique_subject=no\n[any]\ncommonName=supplied\n"
        )
        arguments = ("-in", f"{name}.csr", "-out", f"{name}.crt", "-cert", "ca.crt", "-keyfile", "ca.key", "-notext")
        extensions = ("-extfile", f"{name}.cnf", "-extensions", "own")
        self._run("ca", "-batch", "-config", "ca.cnf", *arguments, *dates, *extensions)

    def _openssl(self, *arguments: str) -> None:
        self._run("req", "-config", "openssl.cnf", *arguments)

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], cwd=self._folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
