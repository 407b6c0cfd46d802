"""Forms: what browsers send is read as it was typed, and nothing else is taken for one."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import PayloadRefused
from viewer.access.forms import Form, parse_form

URLENCODED = "application/x-www-form-urlencoded"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.text("abcdefgh_", min_size=1, max_size=8)


@given(st.dictionaries(names, texts, max_size=5))
def test_typed_texts_come_back(data: dict[str, str]) -> None:
    request = httpx.Request("POST", "http://x/", data=data)
    form = parse_form(request.headers.get("content-type", URLENCODED), request.read())
    assert {name: form.get(name) for name in data} == data


@given(st.dictionaries(names, texts, min_size=1, max_size=4), st.binary(max_size=60))
def test_texts_and_a_file_come_back(data: dict[str, str], content: bytes) -> None:
    request = httpx.Request("POST", "http://x/", data=data, files={"upload": ("표.csv", content)})
    form = parse_form(request.headers["content-type"], request.read())
    assert {name: form.get(name) for name in data if name != "upload"} == {
        name: text for name, text in data.items() if name != "upload"
    }
    assert form.files == {"upload": content}


def test_values_of_one_name_keep_their_order() -> None:
    form = parse_form(URLENCODED + "; charset=utf-8", b"a=1&b=&a=2")
    assert form == Form({"a": ["1", "2"], "b": [""]})
    assert (form.get("b"), form.get("c")) == ("", "")


@pytest.mark.parametrize("kind", ["", "text/plain", "application/json", "multipart/mixed; boundary=x"])
def test_anything_else_has_no_fields(kind: str) -> None:
    assert parse_form(kind, b"csrf=1") == Form()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (URLENCODED, b"\xff=1"),
        (URLENCODED, b"a=%ff"),
        (URLENCODED, b"&".join([b"a=1"] * 1001)),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1'),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n1\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--'),
    ],
)
def test_what_cannot_be_read_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(PayloadRefused):
        parse_form(kind, body)
