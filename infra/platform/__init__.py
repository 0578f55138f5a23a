"""The platform program: network, data, cluster, edge."""
