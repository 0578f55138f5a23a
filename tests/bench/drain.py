"""How fast a backlog is worked off by server and generator together: `python -m tests.bench.drain URL COUNT ROUNDS`.

For each round: a line in, COUNT requests out, "sent" printed once they all wait for their answers; the other side
thaws the server; the moment of the last answer printed, on the clock that all processes share.
"""

from __future__ import annotations

import sys
import time
from itertools import repeat

import locust.env  # first: it patches what the others import

# isort: split
import gevent

from loadtest.connections import Connections
from loadtest.declared import Declared
from loadtest.dispatcher import Dispatcher
from loadtest.launch import RunConfig
from loadtest.profile import Journey, Profile
from loadtest.recorder import Recorder
from loadtest.timeline import Timeline


def main(url: str, count: int, rounds: int) -> None:
    """Drive the generator's own dispatcher, with its books and Locust's."""
    journeys = (Journey(name="GET /", path="/"),)
    profile = Profile(name="drain", rate=1, steady_s=3600, journeys=journeys)
    recorder = Recorder(Timeline(profile, extended=False), (100, 200, 500))
    fire = locust.env.Environment().events.request.fire
    config = RunConfig(profile, url, "")
    dispatcher = Dispatcher(config, recorder, Declared(journeys, 1), Connections(url, 30), fire)
    for _ in range(rounds):
        sys.stdin.readline()
        dispatcher.run(repeat(0.0, count))
        gevent.sleep(0.5)
        print("sent", flush=True)
        while dispatcher.outstanding:
            gevent.sleep(0.001)
        print(time.monotonic(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
