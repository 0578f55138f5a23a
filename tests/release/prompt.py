"""`primetrade` as a shell runs it, in this process, with the twin as the local platform."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import msgspec
import pytest

from scripts import cli, console
from scripts.release import local
from scripts.release.file import ReleaseFile
from scripts.release.twin import Twin

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Prompt:
    """Runs verbs of `release` on one home and file."""

    def __init__(
        self, twin: Twin, path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.twin, self.path, self.home = twin, path, home
        self.files: list[ReleaseFile] = []  # that the platform was made with
        self._monkeypatch, self._capsys = monkeypatch, capsys
        monkeypatch.setattr(local, "Local", self._platform)

    def _platform(self, home: Path, file: ReleaseFile) -> Twin:
        assert home == self.home
        self.files.append(file)
        return self.twin

    def run(self, *words: str, code: int = 0, path: Path | None = None) -> tuple[str, str]:
        """Stdout and stderr, once it ended with the code expected."""
        options = ["--file", str(path or self.path)] + (["--home", str(self.home)] if words[0] != "init" else [])
        self._monkeypatch.setattr(sys, "argv", ["primetrade", "release", *words, *options])
        self._monkeypatch.setattr(console.printed, "document", False)
        before = {signum: signal.getsignal(signum) for signum in SIGNALS}
        try:
            cli.main()
        except SystemExit as ended:
            found = ended.code
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)
        out, err = self._capsys.readouterr()
        assert found == code, err
        return out, err

    def document(self, *words: str, code: int = 0) -> dict[str, object]:
        """The one document that --json puts on stdout."""
        return msgspec.json.decode(self.run(*words, "--json", code=code)[0], type=dict[str, object])
