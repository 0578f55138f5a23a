"""Programs built from pinned Go modules: `tools/MODULE/go.mod` names them, a cache outside the clone keeps them.

`python -m scripts.tools kubectl helm` builds what is missing and prints the paths; without names, everything.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

MODULES = Path(__file__).resolve().parents[1] / "tools"
_TOLD_EVERY_S = 10.0
_POLL_S = 0.1
_TIMEOUT_S = 3600.0
_DOWNLOAD_TIMEOUT_S = 300.0

Say = Callable[[str], object]

# At most so many seconds: measured in this order with nothing compiled before, on two cores that others used too.
_AT_MOST_S = {
    "kube-apiserver": 200,
    "kubectl": 30,
    "helm": 190,
    "kube-controller-manager": 180,
    "kube-scheduler": 10,
    "kubelet": 60,
    "kube-proxy": 25,
    "pause": 1,
    "coredns": 110,
    "envoy-gateway": 730,
    "metrics-server": 200,
    "prometheus": 200,
    "promtool": 10,
    "pulumi": 500,
}
# Where a module's programs keep their version: Go variable, and the module whose version in go.mod it gets.
_STAMPS = {
    "kubernetes": {
        "k8s.io/component-base/version.gitVersion": "k8s.io/kubernetes",
        "k8s.io/client-go/pkg/version.gitVersion": "k8s.io/kubernetes",
    },
    "helm": {"helm.sh/helm/v4/internal/version.version": "helm.sh/helm/v4"},
    "envoy-gateway": {
        "github.com/envoyproxy/gateway/internal/cmd/version.envoyGatewayVersion": "github.com/envoyproxy/gateway"
    },
    "metrics-server": {"k8s.io/client-go/pkg/version.gitVersion": "sigs.k8s.io/metrics-server"},
    "prometheus": {"github.com/prometheus/common/version.Version": "github.com/prometheus/prometheus"},
    "actionlint": {"github.com/rhysd/actionlint.version": "github.com/rhysd/actionlint"},
    # The Automation API refuses a program that does not know its version.
    "pulumi": {"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": "github.com/pulumi/pulumi/pkg/v3"},
}
# Service discovery for two dozen clouds is most of Prometheus; the cluster needs one of them.
_TAGS = {"prometheus": "remove_all_sd,enable_kubernetes_sd"}


class ToolError(Exception):
    """A program could not be built; the message says what to do next."""


def names() -> list[str]:
    """Every program that `tool` can give."""
    return sorted(_packages())


def cache() -> Path:
    """`PRIMETRADE_CACHE`, or `~/.cache/primetrade`: what takes long to make, shared by all clones."""
    return Path(os.environ.get("PRIMETRADE_CACHE") or Path.home() / ".cache" / "primetrade").resolve()


def on_stderr(line: str) -> None:
    """Progress: what a command gives on stdout is for whoever reads it, `--json` among them."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201  # it is for the terminal


def tool(name: str, say: Say = on_stderr) -> Path:
    """The path of a program, built now when it is missing. Raises ToolError."""
    if name not in _packages():
        raise ToolError(f"no program {name}: tools/*/go.mod names {', '.join(names())}")
    module, package = _packages()[name]
    path = cache() / "tools" / f"{module}-{_key(module)}" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with _builder(path, say):
            if not path.exists():
                _build(module, package, path, say)
    return path


def source(module: str, path: str) -> Path:
    """The folder of a Go module's source that `tools/MODULE` pins: for the manifests and charts that it carries."""
    done = _go(["mod", "download", "-json", path], MODULES / module, _DOWNLOAD_TIMEOUT_S)
    if done.returncode:
        raise ToolError(f"go mod download {path} failed in tools/{module}: {(done.stderr or done.stdout).strip()}")
    return Path(json.loads(done.stdout)["Dir"])


def version(module: str, path: str) -> str:
    """The version of a Go module that `tools/MODULE/go.mod` pins. Raises ToolError when it pins none."""
    file = MODULES / module / "go.mod"
    found = re.search(rf"^(?:require|\t)\s*{re.escape(path)} (v\S+)", file.read_text(), re.MULTILINE)
    if not found:
        raise ToolError(f"{file} requires no {path}")
    return found[1]


@functools.cache
def _packages() -> dict[str, tuple[str, str]]:
    """Program → (module under `tools/`, Go package): the `tool` lines of each go.mod, or the module's own main."""
    found = {}
    for file in sorted(MODULES.glob("*/go.mod")):
        module = file.parent.name
        if (file.parent / "main.go").exists():
            found[module] = (module, ".")
        for package in tool_lines(file.read_text()):
            found[package.rpartition("/")[2]] = (module, package)
    return found


def tool_lines(go_mod: str) -> list[str]:
    """The packages that a go.mod names as tools, one by one or in a block."""
    blocks = "\n".join(re.findall(r"^tool \((.*?)^\)", go_mod, re.MULTILINE | re.DOTALL))
    return blocks.split() + re.findall(r"^tool ([^(\s]+)$", go_mod, re.MULTILINE)


@functools.cache
def _key(module: str) -> str:
    """What the programs of a module depend on: its files, the compiler, and how we call it."""
    version_of_go = _go(["env", "GOVERSION"], MODULES, _DOWNLOAD_TIMEOUT_S).stdout
    return key(MODULES / module, version_of_go + " ".join(_flags(module)))


def key(folder: Path, how: str) -> str:
    """A digest of a module's go.mod, go.sum and Go files, and of `how` they are built."""
    digest = hashlib.sha256(how.encode())
    for file in sorted(path for path in folder.iterdir() if path.suffix in {".go", ".mod", ".sum"}):
        digest.update(f"\0{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _flags(module: str) -> list[str]:
    stamps = {variable: version(module, path) for variable, path in _STAMPS.get(module, {}).items()}
    stamped = " ".join(f"-X {variable}={value}" for variable, value in stamps.items())
    tags = [f"-tags={_TAGS[module]}"] if module in _TAGS else []
    return ["-trimpath", "-buildvcs=false", "-mod=readonly", f"-ldflags=-s -w {stamped}".strip(), *tags]


@contextmanager
def _builder(path: Path, say: Say) -> Iterator[None]:
    """Be the only one who builds this program; a killed builder holds nothing."""
    with path.with_name(f".{path.name}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{path.name}: another command is building it, waiting")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(module: str, package: str, path: Path, say: Say) -> None:
    at_most = f" (at most {_AT_MOST_S[path.name]} s on two cores)" if path.name in _AT_MOST_S else ""
    say(f"{path.name}: building from tools/{module}{at_most}")
    started = time.monotonic()
    draft = path.with_name(f".{path.name}.new")
    argv = ["build", "-v", *_flags(module), "-o", str(draft), package]
    with tempfile.TemporaryFile("w+") as log, _started(argv, MODULES / module, log) as process:
        told = started
        while process.poll() is None:
            now = time.monotonic()
            if now - started > _TIMEOUT_S:
                raise ToolError(f"{path.name}: not built after {_TIMEOUT_S:.0f} s")
            if now - told > _TOLD_EVERY_S:
                say(f"{path.name}: {now - started:.0f} s, {_position(log)}")
                told = now
            time.sleep(_POLL_S)
        if process.returncode:
            end = "\n".join(f"  {line}" for line in _lines(log)[-15:])
            raise ToolError(f"{path.name}: go build in tools/{module} ended with {process.returncode}:\n{end}")
    draft.replace(path)
    say(f"{path.name}: built in {time.monotonic() - started:.0f} s")


def _position(log: IO[str]) -> str:
    """How far `go build -v` is: it names each package that it compiles."""
    lines = _lines(log)
    return f"{len(lines)} packages compiled, now {lines[-1]}" if lines else "reading what is compiled already"


def _lines(log: IO[str]) -> list[str]:
    # By its own descriptor: the compiler goes on writing where it is.
    return Path(f"/proc/self/fd/{log.fileno()}").read_text(errors="replace").splitlines()


@contextmanager
def _started(arguments: list[str], folder: Path, log: IO[str]) -> Iterator[subprocess.Popen[str]]:
    """A running `go`, ended with us."""
    try:
        process = subprocess.Popen(
            ["go", *arguments],  # noqa: S607  # the go of the user's PATH
            cwd=folder,
            env=_environment(),
            stdout=log,
            stderr=log,
            text=True,
        )
    except OSError as exc:
        raise _no_go(exc) from exc
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()


def _go(arguments: list[str], folder: Path, timeout_s: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["go", *arguments],  # noqa: S607  # as above
            cwd=folder,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except OSError as exc:
        raise _no_go(exc) from exc
    except subprocess.TimeoutExpired as exc:
        raise ToolError(f"go {' '.join(arguments)}: no answer in {timeout_s:.0f} s; is the network slow?") from exc


def _environment() -> dict[str, str]:
    return {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}


def _no_go(exc: OSError) -> ToolError:
    return ToolError(f"go cannot be run ({exc.strerror}): install Go 1.26 or newer, and put it on PATH")


def main(wanted: list[str]) -> int:
    """Build the programs and print their paths, progress on stderr; 1 when one could not be built."""
    try:
        for name in wanted or sorted(names(), key=lambda name: [*_AT_MOST_S, name].index(name)):
            path = tool(name)
            print(path)  # noqa: T201  # it is a command
    except ToolError as exc:
        print(exc, file=sys.stderr)  # noqa: T201  # as above
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
