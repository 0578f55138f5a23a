"""The control plane's command lines: etcd, API server, controller manager, scheduler."""

from __future__ import annotations

from pathlib import Path

from scripts.cluster.addresses import API_PORT, DNS_DOMAIN, ETCD_PEER_PORT, ETCD_PORT, NODE_IP, SERVICE_RANGE
from scripts.cluster.pki import SERVICE_ACCOUNT_KEY

ETCD_URL = f"https://{NODE_IP}:{ETCD_PORT}"
_PEER_URL = f"https://{NODE_IP}:{ETCD_PEER_PORT}"
CONTROLLER_MANAGER_PORT, SCHEDULER_PORT = 10257, 10259


def etcd(home: Path) -> list[str]:
    """Open only to the API server's certificate, and not to the cluster's others: every Secret is in it."""
    pki = home / "pki"
    return [
        f"--data-dir={home / 'etcd'}",
        "--name=node1",
        f"--listen-client-urls={ETCD_URL}",
        f"--advertise-client-urls={ETCD_URL}",
        f"--listen-peer-urls={_PEER_URL}",
        f"--initial-advertise-peer-urls={_PEER_URL}",
        f"--initial-cluster=node1={_PEER_URL}",
        *_etcd_tls("", pki),
        *_etcd_tls("peer-", pki),
        # A power cut may lose the last writes, a killed process loses none: this cluster's data is for tests.
        "--unsafe-no-fsync",
        "--logger=zap",
        "--log-level=warn",
    ]


def _etcd_tls(prefix: str, pki: Path) -> list[str]:
    return [
        f"--{prefix}client-cert-auth",
        f"--{prefix}trusted-ca-file={pki / 'etcd-ca.crt'}",
        f"--{prefix}cert-file={pki / 'etcd.crt'}",
        f"--{prefix}key-file={pki / 'etcd.key'}",
    ]


def api_server(home: Path) -> list[str]:
    """Node and RBAC authorizers, NodeRestriction, PodSecurity (on by default), and the aggregation layer."""
    pki = home / "pki"
    return [
        f"--bind-address={NODE_IP}",
        f"--advertise-address={NODE_IP}",
        f"--secure-port={API_PORT}",
        f"--etcd-servers={ETCD_URL}",
        f"--etcd-cafile={pki / 'etcd-ca.crt'}",
        f"--etcd-certfile={pki / 'etcd-client.crt'}",
        f"--etcd-keyfile={pki / 'etcd-client.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        f"--service-account-issuer=https://kubernetes.default.svc.{DNS_DOMAIN}",
        f"--service-account-key-file={pki / SERVICE_ACCOUNT_KEY}",
        f"--service-account-signing-key-file={pki / SERVICE_ACCOUNT_KEY}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        f"--kubelet-client-certificate={pki / 'apiserver-kubelet.crt'}",
        f"--kubelet-client-key={pki / 'apiserver-kubelet.key'}",
        # The node's name is in no DNS: without this, logs and exec look it up and fail.
        "--kubelet-preferred-address-types=InternalIP",
        f"--requestheader-client-ca-file={pki / 'front-proxy-ca.crt'}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki / 'front-proxy.crt'}",
        f"--proxy-client-key-file={pki / 'front-proxy.key'}",
        "--enable-aggregator-routing=true",
        "--profiling=false",
    ]


def controller_manager(home: Path) -> list[str]:
    """One of its kind, so it holds no lease: a new one works at once after the old one was killed."""
    pki = home / "pki"
    return [
        *_component(home, "controller-manager", CONTROLLER_MANAGER_PORT),
        "--use-service-account-credentials",
        "--node-monitor-grace-period=3m",  # what is silent is a stalled machine: there is no other node to go to
        f"--service-account-private-key-file={pki / SERVICE_ACCOUNT_KEY}",
        f"--root-ca-file={pki / 'ca.crt'}",
        f"--cluster-signing-cert-file={pki / 'ca.crt'}",
        f"--cluster-signing-key-file={pki / 'ca.key'}",
    ]


def scheduler(home: Path) -> list[str]:
    """As the controller manager: no lease."""
    return _component(home, "scheduler", SCHEDULER_PORT)


def _component(home: Path, name: str, port: int) -> list[str]:
    kubeconfig, pki = home / "kubeconfigs" / name, home / "pki"
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={NODE_IP}",
        f"--secure-port={port}",
        f"--tls-cert-file={pki / f'{name}.crt'}",
        f"--tls-private-key-file={pki / f'{name}.key'}",
        "--leader-elect=false",
        "--profiling=false",
    ]
