"""Questions on disk: one canonical file each, whose md5 DVC finds by itself."""

import hashlib
from dataclasses import replace

import pytest
from dvc_data.hashfile.build import build
from dvc_data.hashfile.db import HashFileDB
from dvc_objects.fs.local import LocalFileSystem

from stages.errors import DataContractError
from stages.io.questions import LINES, MOST_FILES, file_name, read_last_rows, read_questions, write_questions
from tests.features.made_bars import made_calendar
from tests.questions.markets import plan, random_market
from tests.questions.test_question import QUESTION

QUESTIONS = plan(random_market(made_calendar(4, n_bars=60), "B", "A"))[1]


def write(questions, folder):
    write_questions((question.canonical() for question in questions), folder)


def dvc_manifest(folder):
    """What DVC would record of the folder: relative path -> md5."""
    fs = LocalFileSystem()
    _, _, tree = build(HashFileDB(fs, str(folder.parent / "cache")), str(folder), fs, "md5", dry_run=True)
    return {"/".join(key): hash_info.value for key, (_, hash_info) in tree.as_dict().items()}


def test_a_file_is_named_by_symbol_snapshot_and_key():
    assert file_name(QUESTION) == f"AAPL/2024-09-03T1430Z-{QUESTION.key[:8]}.json"


def test_every_key_is_the_md5_that_dvc_records_for_its_file(tmp_path):
    write(QUESTIONS, tmp_path / "requests")
    assert dvc_manifest(tmp_path / "requests") == {file_name(question): question.key for question in QUESTIONS}


@pytest.mark.parametrize("most_files", [MOST_FILES, 1])
def test_keys_and_last_rows_are_those_of_the_questions(tmp_path, monkeypatch, most_files):
    monkeypatch.setattr("stages.io.questions.MOST_FILES", most_files)
    write(QUESTIONS, tmp_path)
    expected = sorted((question.symbol, question.key, question.end_utc) for question in QUESTIONS)
    assert sorted(read_last_rows(tmp_path).rows()) == expected


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"end_utc": 5}'])
def test_without_a_last_row_it_is_no_question(tmp_path, content):
    (tmp_path / "broken.json").write_bytes(content)
    with pytest.raises(DataContractError, match=r"broken.json: this is not a question .*build_requests"):
        read_last_rows(tmp_path)


def test_a_question_that_was_read_has_the_key_of_one_that_was_made(tmp_path):
    write(QUESTIONS, tmp_path)
    assert [replace(question).key for question in read_questions(tmp_path)] == [question.key for question in QUESTIONS]
    assert [question.key for question in read_questions(tmp_path)] == [question.key for question in QUESTIONS]


def test_what_is_written_is_read_in_order_whatever_stood_there_before(tmp_path):
    write([QUESTION], tmp_path)
    write(QUESTIONS[::-1], tmp_path)
    assert read_questions(tmp_path) == QUESTIONS


@pytest.mark.journey  # thousands of questions
def test_thousands_of_questions_are_lines_of_one_file_with_the_same_keys(tmp_path):
    many = [replace(QUESTION, rows=rows) for rows in range(MOST_FILES + 1)]
    write(many, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [LINES]
    lines = (tmp_path / LINES).read_bytes().splitlines(keepends=True)
    assert {hashlib.md5(line, usedforsecurity=False).hexdigest() for line in lines} == {q.key for q in many}
    assert {question.key for question in read_questions(tmp_path)} == {q.key for q in many}


def test_a_file_that_was_edited_is_refused(tmp_path):
    write([QUESTION], tmp_path)
    path = tmp_path / file_name(QUESTION)
    path.write_bytes(path.read_bytes().replace(b'"rows":15660', b'"rows": 15660'))
    with pytest.raises(DataContractError, match=rf"{path.name}: .* not in canonical form"):
        read_questions(tmp_path)


def test_a_missing_folder_says_what_makes_it(tmp_path):
    with pytest.raises(DataContractError, match="dvc repro build_requests"):
        read_questions(tmp_path / "nowhere")
