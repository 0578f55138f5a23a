"""A fake of Pulumi and one of a cluster: they remember what they were asked."""

from __future__ import annotations

from infra.errors import OpsError
from infra.ops.engine import Owned, Program, Step
from infra.ops.patience import Tell


class FakeEngine:
    """States and previews by the name of the program; `asked` is what was done, in order."""

    def __init__(
        self, state: dict[str, tuple[Owned, ...]] | None = None, previews: dict[str, tuple[Step, ...]] | None = None
    ) -> None:
        self.state, self.previews, self.asked = state or {}, previews or {}, list[str]()
        self.refuses: list[str] = []  # why, for each of the next destroys

    def preview(self, program: Program, stack: str, *, refresh: bool = False) -> tuple[Step, ...]:
        self.asked.append(f"preview {program.name}{' refresh' if refresh else ''}")
        return self.previews.get(program.name, ())

    def owned(self, program: Program, stack: str) -> tuple[Owned, ...]:
        return self.state.get(program.name, ())

    def up(self, program: Program, stack: str, tell: Tell) -> None:
        self.asked.append(f"up {program.name}")

    def unprotect(self, program: Program, stack: str) -> None:
        self.asked.append(f"unprotect {program.name}")

    def destroy(self, program: Program, stack: str, tell: Tell) -> None:
        self.asked.append(f"destroy {program.name}")
        if self.refuses:
            raise OpsError(self.refuses.pop(0))


class FakeWorkloads:
    """A cluster in which what was told to go is gone; a node does not go while a budget holds its pods."""

    def __init__(self, asked: list[str]) -> None:
        self.asked, self.front, self.pool = asked, ["ingress web/task-api"], ["nodepool/general"]
        self.budget, self.disk = ["budget web/task-api"], ["disk monitoring/prometheus"]

    def fronts(self) -> list[str]:
        return list(self.front)

    def delete_fronts(self) -> None:
        self.asked.append("delete fronts")
        self.front.clear()

    def pools(self) -> list[str]:
        return list(self.pool)

    def delete_pools(self) -> None:
        self.asked.append("delete pools")
        if not self.budget:
            self.pool.clear()

    def budgets(self) -> list[str]:
        return list(self.budget)

    def delete_budgets(self) -> None:
        self.asked.append("delete budgets")
        self.budget.clear()

    def disks(self) -> list[str]:
        return list(self.disk)

    def delete_disks(self) -> None:
        self.asked.append("delete disks")
        if not self.pool:
            self.disk.clear()
