"""The engine that is real: the `pulumi` of the PATH, started anew for each question."""

from __future__ import annotations

import shutil
import subprocess
from collections import deque
from typing import Final

from infra.errors import ConfigError, OpsError
from infra.ops.engine import Owned, Program, Step, owned, steps
from infra.ops.patience import Tell

LIMIT_S: Final = 600  # of a question; what changes things ends by itself
SAID: Final = 20  # last lines that are shown of an engine that failed
NO_STACK: Final = "no stack named"


class PulumiCli:
    """Each call is one process. Raises OpsError with the engine's own last lines."""

    def __init__(self, program: str = "pulumi") -> None:
        found = shutil.which(program)
        if found is None:
            raise ConfigError(f"no {program} in the PATH; install Pulumi's command line, then run again")
        self.program = found

    def preview(self, program: Program, stack: str, *, refresh: bool = False) -> tuple[Step, ...]:
        """What `up` would do; with `refresh`, against what there really is."""
        return steps(self._ask(program, stack, "preview", "--json", *(["--refresh"] if refresh else [])))

    def owned(self, program: Program, stack: str) -> tuple[Owned, ...]:
        """What is in the stack's state; nothing where it was never deployed."""
        try:
            return owned(self._ask(program, stack, "stack", "export"))
        except OpsError as exc:
            if NO_STACK in str(exc):
                return ()
            raise

    def up(self, program: Program, stack: str, tell: Tell) -> None:
        """Make it so."""
        self._do(program, stack, tell, "up", "--yes", "--skip-preview")

    def unprotect(self, program: Program, stack: str) -> None:
        """Lift the protection of everything in the stack."""
        self._ask(program, stack, "state", "unprotect", "--all", "--yes")

    def destroy(self, program: Program, stack: str, tell: Tell) -> None:
        """Delete everything in the stack, or nothing: without the preview it meets what is protected half-way."""
        self._do(program, stack, tell, "destroy", "--yes")

    def _command(self, program: Program, stack: str, words: tuple[str, ...]) -> list[str]:
        return [self.program, *words, "--non-interactive", "--cwd", str(program.directory), "--stack", stack]

    def _ask(self, program: Program, stack: str, *words: str) -> str:
        command = self._command(program, stack, words)
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        except subprocess.TimeoutExpired as exc:
            raise OpsError(f"pulumi {words[0]} of {program.name} took more than {LIMIT_S} s") from exc
        if done.returncode:
            raise OpsError(f"pulumi {words[0]} of {program.name} on {stack}: {_last(done.stderr or done.stdout)}")
        return done.stdout

    def _do(self, program: Program, stack: str, tell: Tell, *words: str) -> None:
        command = self._command(program, stack, words)
        last: deque[str] = deque(maxlen=SAID)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
            assert running.stdout is not None
            for line in map(str.rstrip, running.stdout):
                if line:
                    tell(f"  {line}")
                    last.append(line)
        if running.returncode:
            raise OpsError(f"pulumi {words[0]} of {program.name} on {stack} failed: {' / '.join(last)}")


def _last(text: str) -> str:
    return " / ".join([line.strip() for line in text.splitlines() if line.strip()][-SAID:])
