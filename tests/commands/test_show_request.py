"""`make show-request`: a question with the rows that it sends, rebuilt from the checked bars."""

import csv
import hashlib
import re
from pathlib import Path

from tests.commands.study_folder import StudyFolder, bars
from tests.support.locks import record_run
from tests.support.programs import run_module


def test_a_question_is_shown_with_the_rows_that_it_sends(tmp_path: Path) -> None:
    study = StudyFolder.at(tmp_path / "desk")
    study.configure()
    study.deliver(bars())
    made = study.run("refresh", "list_source", "fetch_bars", "check_data", "build_features", "build_requests")
    assert made.returncode == 0, made.stderr
    record_run(study.path)
    path = next((study.path / "artifacts/build_requests/requests/STRONG").iterdir())
    key = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()

    lines = run_module(study.path, "stages", "show-request", key[:10]).stdout.splitlines()

    assert lines[0] == f"{key}  {path.read_text().strip()}"
    rows = list(csv.DictReader(lines[1:]))
    assert len(rows) == int(re.search(r'"rows":(\d+)', lines[0])[1])
    assert float(rows[-1]["y_bp"]) == 0
    assert float(rows[-2]["y_bp"]) == -float(rows[-1]["return_bp"])
