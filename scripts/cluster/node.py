"""The node's settings: containerd with its network plugins, the kubelet, kube-proxy.

What differs from the defaults is there because of small machines and containers: cgroup v1, no CAP_SYS_RESOURCE, no
dummy interfaces, sysctls that cannot be set.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml

from scripts.cluster.addresses import (
    BRIDGE,
    CLUSTER_RANGE,
    DNS_DOMAIN,
    DNS_IP,
    NODE_IP,
    NODE_NAME,
    POD_RANGE,
)
from scripts.cluster.packages import CNI_BIN

KUBELET_HEALTH_PORT, PROXY_HEALTH_PORT = 10248, 10256
NETWORK = "primetrade"


def containerd_socket(home: Path) -> Path:
    """Where containerd answers; a socket's path may have 107 characters."""
    return home / "run" / "containerd.sock"


def containerd_config(home: Path, pause: str) -> str:
    """Its own root, state and socket, so that another containerd of this machine is left alone (TOML)."""
    return f"""\
version = 2
root = "{home}/containerd"
state = "{home}/run/containerd"
# Several of these write outside their folders or look for file systems that are not here.
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", \
"io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.tracing"]

[grpc]
address = "{containerd_socket(home)}"

[plugins."io.containerd.internal.v1.opt"]
path = "{home}/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true  # a process without CAP_SYS_RESOURCE may not lower it
netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{CNI_BIN}"
conf_dir = "{home}/cni/net.d"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
"""


def network_config(home: Path) -> str:
    """A bridge for the pods (CNI, JSON)."""
    ranges = {"type": "host-local", "ranges": [[{"subnet": POD_RANGE}]], "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,  # a pod reaches itself through its Service
        "ipam": {**ranges, "dataDir": str(home / "cni" / "networks")},
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return _json({"cniVersion": "0.4.0", "name": NETWORK, "plugins": [bridge, ports]})


def kubelet_config(home: Path) -> str:
    """KubeletConfiguration (YAML)."""
    pki = home / "pki"
    return yaml.safe_dump(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": NODE_IP,
            "healthzBindAddress": NODE_IP,
            "healthzPort": KUBELET_HEALTH_PORT,
            "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": str(pki / "ca.crt")}},
            "tlsCertFile": str(pki / "kubelet-server.crt"),
            "tlsPrivateKeyFile": str(pki / "kubelet-server.key"),
            "clusterDNS": [DNS_IP],
            "clusterDomain": DNS_DOMAIN,
            "containerRuntimeEndpoint": f"unix://{containerd_socket(home)}",
            "podLogsDir": str(home / "pod-logs"),
            "volumePluginDir": str(home / "kubelet" / "volume-plugins"),
            "cgroupDriver": "cgroupfs",
            "failSwapOn": False,
            "failCgroupV1": False,
            "oomScoreAdj": 0,
            # False makes the kubelet complain about a file system every ten seconds.
            "localStorageCapacityIsolation": True,
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "2%", "imagefs.available": "2%"},
            # Images come from archives, not from a registry: one that was collected would not come back.
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "nodeStatusUpdateFrequency": "4s",
            "syncFrequency": "10s",
        },
        sort_keys=False,
    )


def kubelet(home: Path, config: Path) -> list[str]:
    """The kubelet's command line."""
    return [
        f"--config={config}",
        f"--kubeconfig={home / 'kubeconfigs' / 'kubelet'}",
        f"--root-dir={home / 'kubelet'}",
        f"--cert-dir={home / 'kubelet' / 'pki'}",
        f"--node-ip={NODE_IP}",
        f"--hostname-override={NODE_NAME}",
    ]


def kube_proxy_config(home: Path) -> str:
    """KubeProxyConfiguration (YAML): iptables; a NodePort answers at the node's address alone."""
    return yaml.safe_dump(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "clientConnection": {"kubeconfig": str(home / "kubeconfigs" / "proxy")},
            "bindAddress": NODE_IP,
            "hostnameOverride": NODE_NAME,
            "healthzBindAddress": f"{NODE_IP}:{PROXY_HEALTH_PORT}",
            "metricsBindAddress": f"{NODE_IP}:10249",
            "nodePortAddresses": [f"{NODE_IP}/32"],
            "clusterCIDR": CLUSTER_RANGE,
            # These sysctls cannot be set in every container: zero leaves them as they are.
            "conntrack": {
                "maxPerCore": 0,
                "min": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            },
        },
        sort_keys=False,
    )


def _json(document: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(document)).decode()
