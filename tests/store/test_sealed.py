"""Sealed files reveal every changed byte; durable ones appear whole or not at all."""

import errno
import os

import pytest

from zslpipe.errors import ZslpipeError
from zslpipe.files import temporary
from zslpipe.store.sealed import Broken, Sum, explain_os_errors, parse_sealed, sealed_bytes, sum_of, write_durable

VALUE = {"files": {"c.0": [12, "ab"]}, "number": 1e-07, "text": "é\n\ud800", "flag": True, "nothing": None}


def test_every_flipped_bit_and_every_truncation_is_detected():
    content = sealed_bytes(VALUE)
    assert parse_sealed(content)["files"] == VALUE["files"]
    for place in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[place] ^= 1 << bit
            with pytest.raises(Broken):
                parse_sealed(bytes(changed))
        with pytest.raises(Broken):
            parse_sealed(content[:place])
    with pytest.raises(Broken):
        parse_sealed(content + b" ")


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"1", b"{}", b'"sha256"', b'{"sha256": 3}', b"\xff\xfe", b"[" * 100_000]
)
def test_what_is_not_sealed_is_broken(content):
    with pytest.raises(Broken):
        parse_sealed(content)


def test_parts_become_one_file_with_its_sum(tmp_path):
    path = tmp_path / "x"
    assert write_durable(path, b"ab", b"", memoryview(b"cd")) == sum_of(path)
    assert sum_of(path) == Sum(4, "88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589")
    assert path.read_bytes() == b"abcd"


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch, step):
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def refuse(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (type(path), "replace")), refuse)
    with (
        pytest.raises(ZslpipeError, match=r"could not write \(Input/output error\)"),
        explain_os_errors("could not write"),
    ):
        write_durable(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_leftover_is_overwritten(tmp_path):
    temporary(tmp_path / "x").write_bytes(b"much longer than what follows")
    write_durable(tmp_path / "x", b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_bytes() == b"new"
