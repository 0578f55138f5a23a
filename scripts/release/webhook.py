"""One POST to an address that is not ours, in bounded time whatever answers there; nothing it says is printed."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util import Url, parse_url

AGAIN_S: Final = 0.2  # after a broken connection


def unusable(address: str) -> str:
    """Why nothing can be posted to `address`, without printing it, or ""."""
    try:
        url = parse_url(address)
    except HTTPError:
        url = Url()
    if url.scheme not in ("http", "https") or not url.host:
        return "this is no address; write it as https://HOST/PATH"
    if url.auth:
        return "a user name or password stands in the address; put it into headers, as Authorization"
    return ""


def post(address: str, headers: Mapping[str, str], body: bytes, limit_s: float) -> str:
    """Post JSON once, and once more after a connection error, all within `limit_s`; why it was not taken, or "".

    Redirects are not followed. The time limit of a socket starts anew with every byte, and that of a connection with
    every address a name has, so a thread waits for the exchange and leaves it behind when its time is over.
    """
    if problem := unusable(address):
        return problem
    exchange = _Exchange(parse_url(address), headers, body, limit_s)
    exchange.start()
    exchange.join(limit_s)
    return exchange.end() or exchange.why


class _Exchange(threading.Thread):
    def __init__(self, url: Url, headers: Mapping[str, str], body: bytes, limit_s: float) -> None:
        super().__init__(daemon=True)
        kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
        self.connection = kind(url.host or "", url.port, timeout=limit_s)
        self.path, self.body, self.limit_s = url.request_uri, body, limit_s
        ours = {"content-type": "application/json", "user-agent": "primetrade", "connection": "close"}
        self.headers = ours | {name.lower(): text for name, text in headers.items()}
        self.over = threading.Event()
        self.why = ""

    def run(self) -> None:
        self.why = self._once()
        if self.why.startswith(CONNECTION) and not self.over.wait(AGAIN_S):
            self.why = self._once()

    def end(self) -> str:
        """Leave it behind if it still runs, its connection cut."""
        self.over.set()
        if not self.is_alive():
            return ""
        with suppress(OSError):
            if self.connection.sock:
                socket.socket.shutdown(self.connection.sock, socket.SHUT_RDWR)
        return f"no answer within {self.limit_s:g} s"

    def _once(self) -> str:
        try:
            self.connection.request("POST", self.path, body=self.body, headers=self.headers, preload_content=False)
            status = self.connection.getresponse().status
        ...
        finally:
            self.connection.close()
