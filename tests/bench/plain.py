"""Load as Locust's own pacing makes it, for comparison: 50 users, each to send ten requests a second."""

from __future__ import annotations

from locust import FastHttpUser, constant_throughput, task


class PlainUser(FastHttpUser):
    """What the documentation shows for a given rate."""

    wait_time = constant_throughput(10)

    @task
    def ask(self) -> None:
        self.client.get("/")
