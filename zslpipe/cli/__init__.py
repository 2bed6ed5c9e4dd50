"""The command line: one verb a file."""


def main() -> None:
    raise SystemExit(0)
