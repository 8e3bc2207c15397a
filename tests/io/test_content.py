"""The hashes on the page are those that stand in dvc.lock."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.meta import Meta
from dvc_data.hashfile.tree import Tree

from stages.io.content import changed_inputs, content_hash, content_hashes
from stages.io.terminal import run
from tests.architecture.dependencies import ROOT


def test_files_and_folders_are_hashed_as_dvc_does_it(tmp_path):
    folder = tmp_path / "artifacts/stage/bars"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/B.txt").write_bytes(b"hello")
    (folder / "A.txt").write_bytes(b"")
    told = content_hashes([(folder / "A.txt").relative_to(tmp_path), folder.relative_to(tmp_path)], tmp_path)

    empty, hello = "d41d8cd98f00b204e9800998ecf8427e", "5d41402abc4b2a76b9719d911017c592"  # RFC 1321, md5sum
    tree = Tree()
    tree.add(("sub", "B.txt"), Meta(), HashInfo("md5", hello))
    tree.add(("A.txt",), Meta(), HashInfo("md5", empty))
    tree.digest()
    assert told == {"stage/bars/A.txt": empty, "stage/bars": tree.hash_info.value}


EDITED = """
from stages.io.terminal import run
from stages.io.files import read_json
from pathlib import Path
run(lambda: read_json(Path("artifacts/seal/span.json"))["holdout"]["sessions"])"""


@pytest.mark.parametrize(("text", "code", "said"), [
    ('{"holdout": 5}', 2, "error artifacts/seal/span.json changed after the run that dvc.lock records and cannot "
                          "be used (TypeError: 'int' object is not subscriptable): `make run` makes it again.\n"),
    ('{"holdout": {"sessions": 5}}', 0, ""),
])  # fmt: skip
def test_json_of_another_shape_than_the_run_wrote_is_one_sentence(tmp_path, text, code, said):
    (tmp_path / "artifacts/seal").mkdir(parents=True)
    (tmp_path / "artifacts/seal/span.json").write_text(text)
    md5 = hashlib.md5(b'{"holdout": {"sessions": 5}}').hexdigest()
    lock = f"stages:\n  seal:\n    outs:\n    - path: artifacts/seal/span.json\n      md5: {md5}\n"
    (tmp_path / "dvc.lock").write_text(lock)
    done = subprocess.run([sys.executable, "-c", EDITED], cwd=tmp_path, capture_output=True, text=True,
                          env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (code, said)


def test_a_bug_keeps_its_traceback_where_the_inputs_are_those_of_the_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert changed_inputs("seal") == []
    (tmp_path / "dvc.lock").write_text("stages: {}\n")
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 // 0)


def test_a_stage_is_told_of_the_inputs_that_changed_unless_its_own_code_did(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recorded = {"artifacts/calibrate/a.json": b"{}", "artifacts/report/b.json": b"{}", "stages/trading/rules.py": b""}
    for path, content in recorded.items():
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_bytes(content)
    deps = ["artifacts/calibrate/a.json", "stages/trading"]
    read = [{"path": path, "md5": content_hash(Path(path))} for path in deps]
    (tmp_path / "dvc.lock").write_text(json.dumps({"stages": {"sweep": {"deps": read, "outs": []}}}))

    for path in ("artifacts/calibrate/a.json", "artifacts/report/b.json"):
        (tmp_path / path).write_text("[]")
    assert changed_inputs("sweep") == ["artifacts/calibrate/a.json"], "it does not read the other"
    (tmp_path / "stages/trading/rules.py").write_text("1 / 0")
    assert changed_inputs("sweep") == []
