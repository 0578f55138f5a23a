"""One POST to an address that is not ours, in bounded time whatever answers there; nothing secret is ever told.

On http.client, since urllib3 logs the whole address, which is a secret, when an answer has a bad header.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from urllib3.exceptions import HTTPError
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
    return exchange.end()


class _Exchange(threading.Thread):
    """The request and its answer's first line; the rest of the answer is not read."""

    def __init__(self, url: Url, headers: Mapping[str, str], body: bytes, limit_s: float) -> None:
        super().__init__(daemon=True)
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self.connection = kind(url.host or "", url.port, timeout=limit_s)
        self.path, self.body, self.late = url.request_uri, body, f"no answer within {limit_s:g} s"
        ours = {"content-type": "application/json", "user-agent": "primetrade", "connection": "close"}
        self.headers = ours | {name.lower(): text for name, text in headers.items()}
        self.over = threading.Event()
        self.why = ""

    def run(self) -> None:
        try:
            for _ in range(2):
                self.why, broken = self._once()
                if not broken or self.over.wait(AGAIN_S):
                    return
        except Exception as exc:  # noqa: BLE001 - the trace, and some messages of http.client, would show the headers
            self.why = f"it could not be asked ({type(exc).__name__})"

    def end(self) -> str:
        """Why it was not taken; an exchange that still runs is left behind, its connection cut."""
        self.over.set()
        if not self.is_alive():
            return self.why
        with suppress(OSError):
            if sock := self.connection.sock:
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # under TLS too: a farewell could wait for ever
        return self.late

    def _once(self) -> tuple[str, bool]:
        """Why it was not taken, or "", and whether to ask again."""
        try:
            self.connection.request("POST", self.path, self.body, self.headers)
            status = self.connection.getresponse().status
        except TimeoutError:
            return self.late, False
        except ssl.SSLError as exc:
            return f"no TLS connection: {exc.reason or exc.strerror}", False
        except OSError as exc:
            return f"no connection: {exc.strerror or 'it broke'}", True
        except http.client.HTTPException:
            return "what it answered is not HTTP", False
        finally:
            self.connection.close()
        if 300 <= status < 400:
            return f"it answered {status}, and redirects are not followed: write down the address it moved to", False
        return ("" if 200 <= status < 300 else f"it answered {status}"), False
