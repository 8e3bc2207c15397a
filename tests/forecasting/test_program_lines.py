"""What a program of the user's reads and writes, line by line."""

import json
from dataclasses import replace

import numpy as np
import pytest

from stages.forecasting.program_lines import answer_in, question_line
from tests.forecasting.windows import question, window


def test_a_question_is_one_line_with_the_rows_it_sends():
    begins = 1_704_205_800 + np.array([0, 60, 86_400, 86_460])
    rows = replace(
        window([[9.0, 1.5], [2.0, -0.25]]),
        ts_us=begins * 1_000_000,
        hist_exog=np.array([[0.5, 3.0], [0.25, 4.0], [0.125, 5.0], [1.0, 6.0]]),
        futr_exog=np.array([[7.0], [8.0]]),
    )
    asked = question(2, symbol="AAPL", hist_exog=("rv_5m",), futr_exog=("minute_sin",))
    line = question_line(asked, rows)
    assert line.count(b"\n") == 1
    assert b'"ts":[1704205800,' in line, "whole seconds"
    assert json.loads(line) == {
        "key": asked.key,
        "symbol": "AAPL",
        "snapshot_utc": asked.snapshot_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "horizon_min": 2,
        "levels": [5, 25, 50, 75, 95],
        "y_bp": [-3.25, -1.75, 0.25, 0.0],
        "ts": begins.tolist(),
        "minute": [0, 1, 0, 1],
        "hist_exog": {"rv_5m": [0.5, 0.25, 0.125, 1.0], "minute_sin": [3.0, 4.0, 5.0, 6.0]},
        "futr_exog": {"minute_sin": [7.0, 8.0]},
    }


def test_a_value_that_json_does_not_know_is_not_written():
    rows = window([[9.0, 1.5], [2.0, -0.25]])
    unknown = replace(rows, hist_exog=np.full((rows.rows, 1), np.nan))
    with pytest.raises(ValueError, match="not JSON compliant"):
        question_line(question(2, hist_exog=("rv_5m",)), unknown)


def test_an_answer_is_a_key_and_a_list_a_level():
    key, values = answer_in(b'{"key": "k", "quantiles_bp": [[-1, null], [2.5, 1e3]], "more": "is ignored"}\n')
    assert key == "k"
    assert values[0, 0] == -1
    assert np.isnan(values[0, 1])
    assert values[1].tolist() == [2.5, 1000.0]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"Loading model...\n", "no JSON"),
        (b'\xff\xfe{"key"', "no JSON"),
        (b'{"key": "k", "quantiles_bp": [[1', "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[1, 2]", "no object with the `key`"),
        (b'{"key": 7}', "no object with the `key`"),
        (b'{"quantiles_bp": [[1]]}', "no object with the `key`"),
        (b'{"key": "k"}', "not a list of lists"),
        (b'{"key": "k", "quantiles_bp": [1, 2]}', "not a list of lists"),
        (b'{"key": "k", "quantiles_bp": []}', "not a list of lists"),
        (b'{"key": "k", "quantiles_bp": [["1.5"]]}', "holds something other than numbers"),
        (b'{"key": "k", "quantiles_bp": [[true]]}', "holds something other than numbers"),
        (b'{"key": "k", "quantiles_bp": [[1' + b"0" * 400 + b"]]}", "holds a number too large for a float"),
        (b'{"key": "k", "quantiles_bp": [[1], [1, 2]]}', "levels are of different lengths"),
    ],
)
def test_any_other_line_is_named_by_what_it_is(line, told):
    with pytest.raises(ValueError, match=told):
        answer_in(line)
