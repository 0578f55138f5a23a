"""A connection to an API server, found and authenticated as kubectl does it.

The official package reads kubeconfigs (client certificates, tokens, OIDC, exec plugins as EKS has them) and a pod's
service account, and makes the pool of connections; requests are plain JSON over that pool. It is imported when a
connection is wanted and not before: it takes 0.2 s.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import urllib3

from scripts.release.errors import ReleaseError, Unusable

if TYPE_CHECKING:
    from kubernetes.client import Configuration

LOGIN_S = 30.0  # for a credentials plugin
HOME = "~/.kube/config"


class Connection(NamedTuple):
    """Where requests go and what they carry."""

    host: str
    pool: urllib3.PoolManager
    authorization: Callable[[], str]  # "" where a client certificate speaks


def connect(context: str, kubeconfig: str) -> Connection:
    """Read the credentials; nothing is sent yet.

    `kubeconfig` is a path, or several as in KUBECONFIG; then KUBECONFIG, the home's file and the pod's own account
    are tried. Raises Unusable where none can be used, ReleaseError where a credentials plugin gives nothing.
    """
    from kubernetes.client import Configuration  # noqa: PLC0415 - see above
    from kubernetes.client.rest import RESTClientObject  # noqa: PLC0415

    found = Configuration()
    _within_limit(lambda: _load(found, context, kubeconfig or os.environ.get("KUBECONFIG", "")))
    if found.verify_ssl is False:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # the kubeconfig asks for it

    def authorization() -> str:
        """Renewed where it is about to expire."""
        return found.get_api_key_with_prefix("BearerToken") or ""

    return Connection(found.host, RESTClientObject(found).pool_manager, authorization)


def _load(into: Configuration, context: str, paths: str) -> None:
    from kubernetes import config  # noqa: PLC0415 - see above

    try:
        with _said() as words:
            if paths or Path(HOME).expanduser().exists():
                config.load_kube_config(paths or HOME, context or None, into, persist_config=False)  # type: ignore[no-untyped-call]
            elif context:
                raise Unusable(f"there is no kubeconfig, so there is no context {context!r}: set KUBECONFIG")
            else:
                config.load_incluster_config(into)  # type: ignore[no-untyped-call]
    except config.ConfigException as exc:
        where = paths or HOME
        raise Unusable(
            f"no Kubernetes API server can be found with the kubeconfig {where}"
            f"{f', context {context!r}' if context else ''}: {str(exc).rstrip('.')}. Set KUBECONFIG to one, or "
            "name another of its contexts (`kubectl config get-contexts`)"
        ) from exc
    if words:
        raise ReleaseError(f"the kubeconfig's credentials plugin gave nothing: {'; '.join(words)}. Log in, then go on")


@contextmanager
def _said() -> Iterator[list[str]]:
    """What the package logs as an error: it goes on without credentials, which would be a riddle later."""
    words: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: words.append(record.getMessage())  # type: ignore[method-assign]  # all it shall do
    logging.getLogger().addHandler(handler)
    try:
        yield words
    finally:
        logging.getLogger().removeHandler(handler)


def _within_limit(act: Callable[[], None]) -> None:
    """A credentials plugin may hang on a network of its own."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as exc:  # noqa: BLE001 - raised again below, where somebody waits for it
            raised.append(exc)

    thread = threading.Thread(target=run, daemon=True, name="credentials")
    thread.start()
    thread.join(LOGIN_S)
    if thread.is_alive():
        raise ReleaseError(f"the kubeconfig's credentials plugin took more than {LOGIN_S:g} s: run it by hand, log in")
    if raised:
        raise raised[0]
