"""The program inside the cluster: controllers, node pools, and the application's place."""
