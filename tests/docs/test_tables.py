"""Tables of the pages that people write: each has a row for everything of its kind in the code."""

import re
from collections import defaultdict

import numpy as np
import pytest

from stages.calibration.methods import METHODS
from stages.params.forecaster import COMMAND, LOCAL_OPTIONS
from stages.reporting.gates import GATES
from stages.reporting.skill import CONTROLS
from stages.scoring.figures import figures
from stages.trading.kernels import EXITS
from tests.docs.blocks import ROOT

METRICS = {re.split(r"_?\d\d", name)[0] for name in figures(defaultdict(lambda: np.ones(1)))}  # `hit` for `hit_05`


@pytest.mark.parametrize(
    ("page", "title", "names"),
    [
        ("EVALUATION", "metric", METRICS),
        ("EVALUATION", "method", METHODS),
        ("EVALUATION", "gate", GATES.keys() - {"controls", "forecast"}),
        ("EVALUATION", "control", CONTROLS),
        ("FORECASTING", "`forecaster=`", {*LOCAL_OPTIONS, COMMAND}),
        ("TRADING_RULES", "reason", EXITS),
    ],
)
def test_a_table_has_a_row_for_everything_of_its_kind(page, title, names):
    file = ROOT / f"docs/{page}.md"
    tables = re.findall(rf"(?m)^\| {re.escape(title)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", file.read_text())
    listed = " ".join(row.split("|")[1] for table in tables for row in table.splitlines())
    missing = [name for name in sorted(names) if not re.search(rf"\b{name}(?=_?\d\d|\b)", listed)]
    assert missing == [], f"{file.name}: its table with the column {title} needs a row for each of these"
