"""The platform `kubernetes`: slots are Deployments, the lock is a Lease, the journal a ConfigMap."""
