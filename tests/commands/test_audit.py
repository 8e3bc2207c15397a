"""`make audit` looks only at artifacts of the present params."""

import pytest

from stages.errors import ConfigurationError
from tests.support.locks import record_run


def test_params_that_did_not_make_the_artifacts_are_not_audited(project) -> None:
    for stage in ("score_forecasts", "backtest"):
        project.write_json(f"artifacts/{stage}/made.json", {})
    record_run(project.path, params={"forecaster": project.params()["forecaster"] | {"model_epoch": "2"}})
    with pytest.raises(ConfigurationError, match=r"forecaster\.model_epoch = 1 \(artifacts: 2\): `make run`"):
        project.run("audit", "--instants", "2")
