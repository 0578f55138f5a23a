"""Load tests made in a cluster: what starts the Jobs and brings the recording back."""
