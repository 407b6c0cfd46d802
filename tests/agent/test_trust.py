"""docs/security.md followed command by command against a server that trusts nobody, and no secret shown anywhere."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.cli import run
from tests.connectors.opcua.conftest import Foreign, run_foreign

pytestmark = pytest.mark.wire
ROOT = Path(__file__).parents[2]
CANARY = "c4nary-hunter2-zx81"
OFFERED = "None,Basic256Sha256,Aes128_Sha256_RsaOaep,Aes256_Sha256_RsaPss"


@pytest.fixture(scope="module")
def plc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Foreign, Path]]:
    folder = tmp_path_factory.mktemp("plc")
    more = {"TRUST_NOBODY": "1", "POLICIES": OFFERED, "USER_PASSWORD": CANARY}
    with run_foreign(folder, **more) as one:
        yield one, folder


def agent(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent.cli", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def commands(state: Path, endpoint: str) -> list[list[str]]:
    """The lines of the first block of the page, with our server and folder."""
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    block = text.split("```sh\n", 1)[1].split("```", 1)[0]
    out = []
    for line in block.splitlines():
        words = line.split("#")[0].replace("opc.tcp://192.168.10.12:4840", endpoint).split()
        assert words[0] == "agent"
        out.append([str(state) if word == "state" else word for word in words[1:]])
    return out


def site(folder: Path, server: Foreign, password: str) -> Path:
    (folder / "password").write_text(password)
    connection: dict[str, Any] = {
        "name": "plc",
        "type": "opcua",
        "endpoint": server.endpoint,
        "machine": "M",
        "user": server.user,
        "password_file": str(folder / "password"),
        "tags": [{"name": "d", "node": f"nsu={server.namespace};s=Double0"}],
    }
    tree = {"company": "c", "site": "s", "machines": {"M": {"class": "press"}}, "connections": [connection]}
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def accept(plc: Path) -> None:
    """What a person does at the PLC: its list of refused certificates becomes its list of trusted ones."""
    rejected = list((plc / "rejected").iterdir())
    assert rejected
    for one in rejected:
        shutil.move(one, plc / "trusted/certs" / one.name)


@pytest.mark.slow
def test_the_page_is_followed_to_a_secured_connection(plc: tuple[Foreign, Path], tmp_path: Path) -> None:
    server, folder = plc
    state = tmp_path / "state"
    show, add, own, browse, last = commands(state, server.endpoint)
    assert last == ["run", "site.yaml", "--state-dir", str(state)]
    said: list[str] = []

    def do(*words: object, code: int = 0) -> str:
        done = agent(*words)
        assert done.returncode == code, (words, done.stdout, done.stderr)
        said.extend([done.stdout, done.stderr])
        return done.stdout + done.stderr

    shown = do(*show)
    assert "Aes256Sha256RsaPss SignAndEncrypt" in shown
    match = re.search(r"SHA-256 +([0-9a-f]{64})", shown)
    assert match
    fingerprint = match[1]
    refused = do("browse", server.endpoint, "--state-dir", state, code=3)
    assert f"then: agent trust add {fingerprint[:16]} --state-dir {state}" in refused
    assert [
        row["group"] for row in json.loads(do("trust", "list", "--state-dir", state, "--json"))["certificates"]
    ] == ["rejected"]
    assert "nothing was added" in do(*add, code=1)  # nobody at the keyboard
    do(*add, "--yes")
    listed = json.loads(do("trust", "list", "--state-dir", state, "--json"))["certificates"]
    assert [(row["group"], row["sha256"]) for row in listed] == [("trusted", fingerprint)]
    assert str(state / "pki/own/certificate.der") in do(*own)

    untrusted = do(*browse, code=3)
    assert "put this agent's certificate" in untrusted
    assert len(untrusted.splitlines()) == 1, "no word of the library beside the error"
    accept(folder)
    assert "Double0" in do(*browse)

    wrong = do("read", site(tmp_path, server, f"{CANARY}-wrong"), "--state-dir", state, code=3)
    assert "the server refused the user (BadUserAccessDenied)" in wrong
    read = json.loads(do("read", site(tmp_path, server, CANARY), "--state-dir", state, "--json"))
    assert [(row["value"], row["quality"]) for row in read["tags"]] == [(0.1, "Good")]

    do("trust", "remove", fingerprint[:20], "--state-dir", state)
    assert "not on the trust list" in do(*browse, code=3)
    do("trust", "add", fingerprint[:16], "--state-dir", state)  # from the rejected ones
    assert "Double0" in do(*browse)

    files = [one for one in state.rglob("*") if one.is_file()]
    assert not [text for text in said if CANARY in text or "PRIVATE" in text]
    assert not [one for one in files if CANARY.encode() in one.read_bytes()]
    assert [one.name for one in files if b"PRIVATE KEY" in one.read_bytes()] == ["private_key.pem"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["trust", "add"], 2, "trust add: name opc.tcp://host:port, a file, or the start of a fingerprint"),
        (["trust", "remove", "ab"], 2, "trust ab: no certificate with this fingerprint is kept"),
        (["trust", "remove", ""], 2, "no certificate with this fingerprint is kept"),
        (["trust", "add", "0a1b"], 2, "there is no such file; to trust it takes 16 digits of it"),
        (["trust", "add", "nowhere.pem"], 2, "there is no such file"),
        (["trust", "show", "opc.tcp://127.0.0.1:1"], 3, "no connection"),
        (["trust", "steal"], 2, "steal"),
    ],
)
def test_what_cannot_be_done_says_why(
    tmp_path: Path, words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--state-dir", str(tmp_path)]) == code
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
