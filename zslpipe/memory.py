"""How much memory this process may use: of what the machine has, what its limits leave."""

import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")  # SLURM, docker and systemd limit memory there; version 2 first, then version 1
FILES = (  # controller; files with the limit and with what is used; what the system may drop of that
    ("", "memory.max", "memory.current", ("inactive_file", "active_file")),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file")),
)


def memory_bytes() -> int:
    """The machine's memory or the lowest limit on this process; 0 if the system reports neither (Windows)."""
    known = [_machine("MemTotal"), *(limit for limit, _ in _limits())]
    return min((size for size in known if size), default=0)


def free_bytes() -> int:
    """Memory that can be taken without swapping and without reaching a limit."""
    known = [_machine("MemAvailable"), *(max(0, limit - used) for limit, used in _limits())]
    return min((size for size in known if size is not None), default=4 << 30)  # not Linux: a modest guess


def counts_maps() -> bool:
    """Whether mapped files count against a limit on this process, as they do for `ulimit -v` and `-d`."""
    return any(True for _ in _ulimits())


def _machine(key: str) -> int | None:
    found = _fields(Path("/proc/meminfo")).get(key)
    if found is None and key == "MemTotal":
        try:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (AttributeError, ValueError, OSError):
            return None
    return found


def _limits() -> Iterator[tuple[int, int]]:
    """(limit, what counts as used) of every limit on this process; files that the system may drop are not counted."""
    yield from _ulimits()
    for line in _text(Path("/proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        for controller, most, used, droppable in FILES:
            if controller not in controllers.split(",") or (not controller and controllers):
                continue
            group = CGROUPS / controller / path.lstrip("/")
            for folder in (group, *group.parents):  # a container sees its own group at the root
                limit, now = _text(folder / most).strip(), _text(folder / used).strip()
                if limit.isdigit() and now.isdigit() and int(limit) < 1 << 60:
                    files = dict(line.split() for line in _text(folder / "memory.stat").splitlines())
                    yield int(limit), int(now) - sum(int(files.get(key, 0)) for key in droppable)
                if folder == CGROUPS / controller:
                    break


def _ulimits() -> Iterator[tuple[int, int]]:
    try:
        import resource
    except ImportError:  # Windows
        return
    held = _fields(Path("/proc/self/status"))
    for kind, key in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        limit, _ = resource.getrlimit(kind)
        if limit != resource.RLIM_INFINITY:
            yield limit, held.get(key, 0)


def _fields(path: Path) -> dict[str, int]:
    """Lines such as "MemTotal:  123 kB", in bytes."""
    lines = (line.partition(":") for line in _text(path).splitlines())
    return {key: int(value.split()[0]) * 1024 for key, _, value in lines if value.strip().endswith(" kB")}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
