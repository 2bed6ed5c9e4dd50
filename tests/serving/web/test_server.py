"""zslpipe serve: the answers are those of Python, and nothing that a request says does harm."""

import io
import json
import re
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zslpipe
from tests.serving.web.conftest import Served, serving


def png(size: tuple[int, int] = (40, 48), colour: str = "red") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, "PNG")
    return stream.getvalue()


def photos(served: Served) -> list[Path]:
    return sorted((served.place / "new").glob("*.png"))


def test_answers_are_those_of_python(served: Served) -> None:
    predictor = zslpipe.load(cache=served.place / "cache")
    for file, expected in zip(photos(served), predictor.predict(photos(served), top=3)):
        status, told = served.predict(file.read_bytes(), top="3")
        assert status == 200
        assert told["known"] == expected.known
        assert [one["class"] for one in told["classes"]] == [one.name for one in expected.candidates]
        for one, other in zip(told["classes"], expected.candidates):
            assert one["probability"] == pytest.approx(other.probability, abs=1e-4)
            assert one["kind"] == other.kind


def test_concurrent_requests_get_their_own_answers(served: Served) -> None:
    files = photos(served) * 4
    alone = {file: served.predict(file.read_bytes())[1]["classes"] for file in photos(served)}
    with ThreadPoolExecutor(8) as pool:
        for file, (status, told) in zip(files, pool.map(lambda f: served.predict(f.read_bytes()), files)):
            assert status == 200
            assert [c["class"] for c in told["classes"]] == [c["class"] for c in alone[file]]
            assert told["classes"][0]["score"] == pytest.approx(alone[file][0]["score"], abs=1e-3)


def test_a_class_in_words(served: Served, tmp_path: Path) -> None:
    status, told = served.describe(name="orange", like="red", attributes={"green": 0.5})
    assert (status, told) == (200, {"class": "orange", "base": "red", "named": {"green": 0.5}})
    (tmp_path / "more.csv").write_text("class,red,green,blue\norange,1,0.5,0\n")
    expected = (
        zslpipe.load(cache=served.place / "cache").with_classes(tmp_path / "more.csv").predict(photos(served)[0], 9)
    )
    added = json.dumps([{"name": "orange", "like": "red", "attributes": {"green": 0.5}}])
    status, told = served.predict(photos(served)[0].read_bytes(), top="9", classes=added)
    assert status == 200
    assert [c["class"] for c in told["classes"]] == [c.name for c in expected[0].candidates]
    assert {c["class"]: c["kind"] for c in told["classes"]}["orange"] == "new"
    assert len(served.predict(photos(served)[0].read_bytes(), top="9")[1]["classes"]) == 8, "it stays in its request"


def test_a_sentence(served: Served) -> None:
    status, told = served.describe(name="magenta", sentence="red and blue but no green")
    assert (status, told["named"]) == (200, {"red": 1.0, "blue": 1.0, "green": 0.0})
    assert served.describe(name="x", sentence="purple") == (
        400,
        {
            "error": "the sentence names none of the 3 attributes, such as 'red': use their words, or give values of "
            "attributes."
        },
    )


def test_explanations(served: Served) -> None:
    _, told = served.predict(photos(served)[0].read_bytes(), explain="true", pictures="true")
    contrast = told["contrast"]
    assert {t["attribute"] for t in contrast["terms"]} == {"red", "green", "blue"}
    total = sum(t["contribution"] for t in contrast["terms"]) + contrast["others"] + contrast["calibration"]
    assert total == pytest.approx(contrast["difference"], abs=1e-4)
    assert told["picture"].startswith("data:image/jpeg;base64,")


def test_the_page_asks_for_nothing_elsewhere(served: Served) -> None:
    for path in ("/", "/page.css", "/page.js", "/docs"):
        status, headers, content = served.get(path)
        assert status == 200
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "server" not in {name.lower() for name in headers}
        for address in re.findall(
            r"""(?:src|href|url|fetch|import)\s*[=(]\s*["']?((?:https?:)?//[^"')\s]+)""", content
        ):
            raise AssertionError(f"{path} refers to {address}")
    assert served.get("/static-offline-docs/swagger-ui-bundle.js")[0] == 200


def test_the_schema_describes_the_requests(served: Served) -> None:
    schema = json.loads(served.get("/openapi.json")[2])
    assert set(schema["paths"]) == {"/api/run", "/api/describe", "/api/predict"}
    about = json.loads(served.get("/api/run")[2])
    assert [one["class"] for one in about["classes"]][:2] == list(
        zslpipe.load(cache=served.place / "cache").classes.names[:2]
    )
    assert about["attributes"][0] == {"attribute": "red", "least": 0.0, "mean": pytest.approx(0.5), "most": 1.0}


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/%2e%2e/etc/passwd", "/static-offline-docs/../core.py", "/etc", "/api"]
)
def test_no_path_leads_out(served: Served, path: str) -> None:
    status, _, content = served.get(path)
    assert status == 404
    assert json.loads(content) == {"error": "Not Found"}


def bomb() -> bytes:
    """A small PNG that claims 30000 x 30000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (b"", "the picture is empty."),
        (b"/etc/passwd", "not an image of a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image of a known format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image of a known format"),
        (png()[:60], "the picture is damaged"),
        (bomb(), "pixels"),
    ],
)
def test_what_is_no_picture(served: Served, image: bytes, sentence: str) -> None:
    status, told = served.predict(image)
    assert status == 400
    assert sentence in told["error"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"top": "0"}, 422),
        ({"top": "1e9"}, 422),
        ({"explain": "perhaps"}, 422),
        ({"classes": "{"}, 422),
        ({"classes": "[[[[[[["}, 422),
        ({"classes": '[{"name": "x"}]'}, 400),
        ({"classes": '[{"name": "x", "path": "/etc/passwd"}]'}, 422),
        ({"classes": '[{"name": "x", "attributes": {"red": NaN}}]'}, 400),
        ({"classes": '[{"name": "x", "attributes": {"red": 1e308}}]'}, 400),
        ({"classes": '[{"name": "x", "attributes": {"red": "1; DROP"}}]'}, 422),
        ({"classes": json.dumps([{"name": f"x{i}", "like": "red"} for i in range(21)])}, 422),
        ({"classes": json.dumps([{"name": "x" * 101, "like": "red"}])}, 422),
        ({"classes": json.dumps([{"name": "red", "like": "red"}])}, 400),
    ],
)
def test_what_is_no_request(served: Served, fields: dict[str, str], status: int) -> None:
    found, told = served.predict(png(), **fields)
    assert found == status, told
    assert set(told) == {"error"}
    assert len(told["error"]) < 400
    assert "Traceback" not in told["error"]


def test_bodies_that_are_no_forms(served: Served) -> None:
    for kind in ("multipart/form-data", "multipart/form-data; boundary=Z", "application/json", "text/plain", ""):
        status, told = served.post("/api/predict", b"--B\r\n\r\nnonsense", kind)
        assert status in (400, 422), (kind, told)
        assert set(told) == {"error"}
    assert served.post("/api/describe", b"[" * 100_000, "application/json")[0] in (400, 422)


def test_sizes_are_limited(served: Served) -> None:
    status, told = served.predict(np.random.default_rng(0).bytes(3 << 19))
    assert (status, told["error"]) == (413, "the request is larger than 1 MiB: send a smaller picture.")


def test_other_sites_are_not_answered(served: Served) -> None:
    assert served.post("/api/describe", b"{}", "application/json", origin="https://evil.example")[0] == 403
    assert served.post("/api/describe", b"{}", "application/json", host="evil.example")[0] == 421


def test_names_are_text_in_the_page(served: Served) -> None:
    """The page's script sets text only; the server's part is escaped."""
    _, _, script = served.get("/page.js")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)
    _, _, html = served.get("/")
    assert "onerror" not in html


def test_requests_of_one_address_are_limited(served: Served) -> None:
    with serving(served.place, "--rate", "0.5") as slow:
        found = [slow.describe(name="x", like="red")[0] for _ in range(3)]
    assert found == [200, 429, 429]
    assert slow.process.returncode == 0, "an interrupt is the usual end"


def test_the_server_still_answers(served: Served) -> None:
    """After everything above."""
    assert served.process.poll() is None
    assert served.predict(png())[0] == 200
