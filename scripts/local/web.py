"""One HTTP exchange with a process of ours."""

from __future__ import annotations

import msgspec
import urllib3

from scripts.local.errors import ProbeError
from scripts.local.ports import LOOPBACK


def exchange(
    port: int, path: str, timeout_s: float, *, post: dict[str, float | bool] | None = None, token: str = ""
) -> tuple[int, bytes]:
    """Status and body of a GET (of a POST, with a JSON body) on a loopback port; redirects and retries are off.

    Raises ProbeError when there is no answer.
    """
    method, address = "GET" if post is None else "POST", f"http://{LOOPBACK}:{port}{path}"
    body = None if post is None else msgspec.json.encode(post)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    with urllib3.PoolManager(retries=False) as pool:
        try:
            answer = pool.request(method, address, body=body, headers=headers, timeout=timeout_s)
        except urllib3.exceptions.HTTPError as exc:
            raise ProbeError(f"{method} {address}: no answer within {timeout_s:g} s ({exc})") from exc
    return answer.status, answer.data
