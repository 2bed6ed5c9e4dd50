"""What a process may still take follows the lowest of the machine's memory, cgroups and ulimits."""

from pathlib import Path

import pytest

from zslpipe import memory

GIB = 1 << 30


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system with 8 GiB, of which 6 are available, in place of this one."""
    (tmp_path / "meminfo").write_text(f"MemTotal: {8 * GIB >> 10} kB\nMemAvailable: {6 * GIB >> 10} kB\n")
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text("")
    real = memory._text

    def text(path: Path) -> str:
        return real(tmp_path / path.relative_to("/proc") if path.is_relative_to("/proc") else path)

    monkeypatch.setattr(memory, "_text", text)
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "_ulimits", lambda: iter(()))
    return tmp_path


def group(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def test_without_limits(system: Path) -> None:
    assert (memory.memory_bytes(), memory.free_bytes()) == (8 * GIB, 6 * GIB)


def test_a_group_of_version_2(system: Path) -> None:
    (system / "self" / "cgroup").write_text("0::/job/step\n")
    stat = f"anon 5\ninactive_file {GIB // 2}\nactive_file {GIB // 2}\n"
    group(
        system / "cgroup" / "job", {"memory.max": f"{3 * GIB}\n", "memory.current": f"{2 * GIB}\n", "memory.stat": stat}
    )
    group(system / "cgroup" / "job" / "step", {"memory.max": "max\n", "memory.current": "1\n", "memory.stat": ""})
    assert (memory.memory_bytes(), memory.free_bytes()) == (3 * GIB, 2 * GIB)


def test_a_group_of_version_1(system: Path) -> None:
    (system / "self" / "cgroup").write_text("5:cpu,memory:/slurm\n4:devices:/x\n")
    limit = {"memory.limit_in_bytes": f"{2 * GIB}", "memory.usage_in_bytes": f"{GIB}"}
    group(system / "cgroup" / "memory" / "slurm", {**limit, "memory.stat": "total_inactive_file 0\n"})
    unlimited = {"memory.limit_in_bytes": "9223372036854771712", "memory.usage_in_bytes": "0", "memory.stat": ""}
    group(system / "cgroup" / "memory", unlimited)
    assert (memory.memory_bytes(), memory.free_bytes()) == (2 * GIB, GIB)


def test_a_full_group_leaves_nothing(system: Path) -> None:
    (system / "self" / "cgroup").write_text("0::/\n")
    group(system / "cgroup", {"memory.max": "5", "memory.current": "9", "memory.stat": ""})
    assert memory.free_bytes() == 0


def test_ulimits() -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    before = memory.free_bytes()
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (64 * GIB, hard))
        assert memory.memory_bytes() <= 64 * GIB
        held = 64 * GIB - memory._fields(Path("/proc/self/status"))["VmData"]
        assert memory.free_bytes() <= min(held, before + GIB)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
