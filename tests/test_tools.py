"""Building programs: once, again when anything they depend on changes, with progress, and with a clear refusal."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import tools
from scripts.tools import ToolError, key, names, tool, tool_lines, version

# A compiler's twin: it says what it compiles, writes the program, and can be told to fail.
GO = """#!/bin/sh
[ "$1" = env ] && echo go1.99 && exit 0
[ -e "$FAILS" ] && echo "main.go:3: syntax error" >&2 && exit 1
echo "example.com/shop" >&2
echo built >> "$BUILDS"
sleep 0.3
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\necho shop\\n' > "$2" && chmod +x "$2"
"""


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """One module, `shop`, and the twin; the file has a line for every build."""
    module, bin_folder = tmp_path / "tools" / "shop", tmp_path / "bin"
    module.mkdir(parents=True)
    (module / "go.mod").write_text("module shop\n")
    (module / "main.go").write_text("package main\n")
    bin_folder.mkdir()
    (bin_folder / "go").write_text(GO)
    (bin_folder / "go").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:/usr/bin:/bin")
    monkeypatch.setenv("BUILDS", str(tmp_path / "builds"))
    monkeypatch.setenv("FAILS", str(tmp_path / "fails"))
    monkeypatch.setenv("PRIMETRADE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tools, "MODULES", tmp_path / "tools")
    forget()
    yield tmp_path / "builds"
    monkeypatch.undo()
    forget()


def forget() -> None:
    tools._packages.cache_clear()
    tools._key.cache_clear()


def test_every_program_of_the_modules_is_known() -> None:
    """The go.mod files are the list of programs."""
    assert {"kube-apiserver", "kubelet", "kubectl", "helm", "prometheus", "coredns", "pause", "pulumi"} <= {*names()}


def test_tool_lines_of_both_forms() -> None:
    """A go.mod names its tools in a block or one by one."""
    go_mod = "tool example.com/b\n\ntool (\n\texample.com/a/cmd/a\n)\n"
    assert ["example.com/a/cmd/a", "example.com/b"] == tool_lines(go_mod)


def test_the_stamped_version_is_the_pinned_one() -> None:
    """What a program calls itself comes from its go.mod."""
    pinned = version("kubernetes", "k8s.io/kubernetes")
    assert f"gitVersion={pinned}" in " ".join(tools._flags("kubernetes"))


def test_a_module_that_is_not_pinned_has_no_version() -> None:
    """The refusal names the go.mod that lacks it."""
    with pytest.raises(ToolError, match=r"tools/pause/go\.mod requires no k8s\.io/api"):
        version("pause", "k8s.io/api")


@pytest.mark.parametrize("changed", ["go.mod", "go.sum", "main.go"])
def test_the_cache_key_follows_every_file(tmp_path: Path, changed: str) -> None:
    """Another pin, checksum or source is another program."""
    for name in ("go.mod", "go.sum", "main.go"):
        (tmp_path / name).write_text("before")
    before = key(tmp_path, "go1.26")
    (tmp_path / changed).write_text("after")
    assert before != key(tmp_path, "go1.26")


def test_the_cache_key_follows_the_compiler(tmp_path: Path) -> None:
    """Another compiler or flag is another program."""
    assert key(tmp_path, "go1.26") != key(tmp_path, "go1.27")


def test_a_program_is_built_once(builds: Path) -> None:
    """The second call finds what the first has built."""
    assert tool("shop") == tool("shop")
    assert "built\n" == builds.read_text()
    assert "shop\n" == subprocess.run([tool("shop")], capture_output=True, text=True, check=True).stdout


def test_two_builders_build_once(builds: Path) -> None:
    """Who comes second waits for the first, and says so."""
    said: list[str] = []
    both = [threading.Thread(target=tool, args=("shop", said.append)) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert "built\n" == builds.read_text()
    assert "shop: another command is building it, waiting" in said


def test_a_changed_source_is_built_anew(builds: Path) -> None:
    """What was built from other sources is not taken for it."""
    before = tool("shop")
    (tools.MODULES / "shop" / "main.go").write_text("package main // changed\n")
    forget()
    assert before != tool("shop")
    assert "built\nbuilt\n" == builds.read_text()


def test_a_failed_build_shows_the_compilers_words_and_leaves_nothing(builds: Path, tmp_path: Path) -> None:
    """The next call builds it, once the reason is gone."""
    (tmp_path / "fails").touch()
    with pytest.raises(ToolError, match=r"go build in tools/shop ended with 1:\n  main\.go:3: syntax error"):
        tool("shop")
    (tmp_path / "fails").unlink()
    assert tool("shop").exists()


def test_progress_tells_of_the_package(builds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long build says how far it is."""
    monkeypatch.setattr(tools, "_TOLD_EVERY_S", 0.05)
    said: list[str] = []
    tool("shop", said.append)
    assert "shop: building from tools/shop" == said[0]
    assert any("1 packages compiled, now example.com/shop" in line for line in said)
    assert said[-1].startswith("shop: built in ")


def test_nothing_of_a_first_build_is_on_stdout(builds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A verb that needs the program may be asked for JSON."""
    tool("shop")
    said = capsys.readouterr()
    assert ("", "shop: building from tools/shop") == (said.out, said.err.splitlines()[0])


def test_an_unknown_program_is_refused_with_the_known_ones(builds: Path) -> None:
    """A wrong name costs no build."""
    with pytest.raises(ToolError, match=r"no program cart: tools/\*/go\.mod names shop"):
        tool("cart", print)


def test_without_go_the_message_says_what_to_install(builds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a compiler is told which one."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolError, match=r"install Go 1\.26 or newer"):
        tool("shop")


def test_the_command_prints_the_path_alone(builds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts take the path from stdout; progress is on stderr, and a refusal ends with 1."""
    assert 0 == tools.main(["shop"])
    assert f"{tool('shop')}\n" == capsys.readouterr().out
    assert 1 == tools.main(["cart"])
    assert "no program cart" in capsys.readouterr().err
