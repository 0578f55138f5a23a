"""The cluster's addresses: in 198.18.0.0/15, which is set aside for tests and never routed (RFC 2544)."""

from __future__ import annotations

NODE_NAME = "node1"
NODE_IP = "198.18.255.1"  # on the device lo: reachable from this machine and its pods, from nowhere else
POD_RANGE = "198.18.0.0/24"
CLUSTER_RANGE = "198.18.0.0/16"
EVERY_RANGE = "198.18.0.0/15"  # pods, services and the node
SERVICE_RANGE = "198.19.0.0/16"
API_SERVICE_IP = "198.19.0.1"  # the first of the service range: the API server takes it itself
DNS_IP = "198.19.0.10"
DNS_DOMAIN = "cluster.local"
API_PORT = 6443
API_URL = f"https://{NODE_IP}:{API_PORT}"
ETCD_PORT = 2379
ETCD_PEER_PORT = 2380
BRIDGE = "primetrade0"
