"""The cluster's certificates: three authorities (cluster, etcd, front proxy) and what each of them signs.

Who a certificate is to Kubernetes: CN is the user, O its group (kubernetes.io/docs/setup/best-practices/certificates).
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec

from scripts.cluster.addresses import API_SERVICE_IP, NODE_IP, NODE_NAME
from scripts.cluster.errors import ClusterError
from scripts.cluster.packages import program

_CA_DAYS, _DAYS, _RENEW_DAYS = 3650, 365, 30
_TIMEOUT_S = 30
_CURVE = "ec_paramgen_curve:prime256v1"
SERVICE_ACCOUNT_KEY = "service-account.key"


class Certificate(msgspec.Struct, frozen=True):
    """One certificate and its key, NAME.crt and NAME.key."""

    name: str
    authority: str  # the name of the one that signs; its own for an authority
    user: str  # CN
    group: str = ""  # O
    server: tuple[str, ...] = ()  # names and addresses it serves under
    client: bool = True

    @property
    def is_authority(self) -> bool:
        """Whether it signs others."""
        return self.name == self.authority

    def extensions(self) -> list[str]:
        """X.509 extensions, as openssl writes them."""
        if self.is_authority:
            return ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"]
        uses = [*(["serverAuth"] if self.server else []), *(["clientAuth"] if self.client else [])]
        names = [f"{'IP' if name[0].isdigit() else 'DNS'}:{name}" for name in self.server]
        return [
            "basicConstraints=critical,CA:FALSE",
            "keyUsage=critical,digitalSignature",
            f"extendedKeyUsage={','.join(uses)}",
            *([f"subjectAltName={','.join(names)}"] if names else []),
        ]


_API_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
CERTIFICATES = (
    Certificate("ca", "ca", "primetrade cluster"),
    Certificate("etcd-ca", "etcd-ca", "primetrade etcd"),
    Certificate("front-proxy-ca", "front-proxy-ca", "primetrade front proxy"),
    # Its own authority: no certificate of the cluster's opens etcd, where every Secret is.
    Certificate("etcd", "etcd-ca", "etcd", server=(NODE_IP,)),
    Certificate("etcd-client", "etcd-ca", "kube-apiserver"),
    Certificate("apiserver", "ca", "kube-apiserver", server=(*_API_NAMES, NODE_IP, API_SERVICE_IP), client=False),
    Certificate("apiserver-kubelet", "ca", "kube-apiserver-kubelet-client", "system:masters"),
    Certificate("controller-manager", "ca", "system:kube-controller-manager", server=(NODE_IP,)),
    Certificate("scheduler", "ca", "system:kube-scheduler", server=(NODE_IP,)),
    Certificate("kubelet", "ca", f"system:node:{NODE_NAME}", "system:nodes"),
    Certificate("kubelet-server", "ca", f"system:node:{NODE_NAME}", server=(NODE_NAME, NODE_IP), client=False),
    Certificate("proxy", "ca", "system:kube-proxy"),
    Certificate("admin", "ca", "primetrade-admin", "system:masters"),
    # Another user than an aggregated API's clients: what it says in X-Remote-User is believed.
    Certificate("front-proxy", "front-proxy-ca", "front-proxy-client"),
)


def issue(folder: Path) -> list[str]:
    """Make the certificates that are missing or end within a month; the names of those made. Raises ClusterError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made: list[str] = []
    for certificate in CERTIFICATES:
        if certificate.authority in made or not _lasts(folder / f"{certificate.name}.crt"):
            _make(folder, certificate)
            made.append(certificate.name)
    if not (folder / SERVICE_ACCOUNT_KEY).exists():
        draft = folder / f".{SERVICE_ACCOUNT_KEY}"
        # SEC 1, not PKCS 8: the API server reads the public half from this file too.
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(draft))
        draft.replace(folder / SERVICE_ACCOUNT_KEY)
        made.append(SERVICE_ACCOUNT_KEY)
    return made


def arguments(folder: Path, certificate: Certificate, key: Path, crt: Path) -> list[str]:
    """The arguments of `openssl` that make a certificate and its key."""
    subject = f"/O={certificate.group}/CN={certificate.user}" if certificate.group else f"/CN={certificate.user}"
    signer = folder / certificate.authority
    signed = [] if certificate.is_authority else ["-CA", f"{signer}.crt", "-CAkey", f"{signer}.key"]
    extensions = [argument for each in certificate.extensions() for argument in ("-addext", each)]
    days = _CA_DAYS if certificate.is_authority else _DAYS
    new_key = ["-newkey", "ec", "-pkeyopt", _CURVE, "-noenc", "-keyout", str(key)]
    return ["req", "-x509", *new_key, *signed, "-days", str(days), "-subj", subject, *extensions, "-out", str(crt)]


def _make(folder: Path, certificate: Certificate) -> None:
    key, crt = folder / f".{certificate.name}.key", folder / f".{certificate.name}.crt"
    _openssl(*arguments(folder, certificate, key, crt))
    key.replace(folder / f"{certificate.name}.key")
    crt.replace(folder / f"{certificate.name}.crt")  # last: it is what `issue` looks for


def _lasts(crt: Path) -> bool:
    if not crt.exists():
        return False
    return _run("x509", "-checkend", str(_RENEW_DAYS * 86400), "-noout", "-in", str(crt)).returncode == 0


def _openssl(*words: str) -> None:
    done = _run(*words)
    if done.returncode:
        raise ClusterError(f"openssl {words[0]} ended with {done.returncode}: {done.stderr.strip()}")


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    argv = [program("openssl"), *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=_TIMEOUT_S, umask=0o077, check=False)
