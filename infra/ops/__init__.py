"""What is done to an account once there is one: deploy, drift, drill, teardown."""
