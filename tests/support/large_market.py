"""The synthetic market of the committed params, with as many symbols and sessions as a test asks for."""

from datetime import date
from pathlib import Path

import yaml

from stages.params.features import FeaturesParams
from stages.params.quality import DialectParams
from stages.params.source import SourceParams
from stages.sessions.calendar import trading_calendar
from tests.architecture.dependencies import ROOT

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
MOST = 600


def symbols_of(count: int) -> list[str]:
    """`S000`, `S001` and so on."""
    return [f"S{number:03}" for number in range(count)]


def source_of(symbols: list[str]) -> SourceParams:
    """The market of these symbols, each with a wave."""
    market = PARAMS["source"]["synthetic"]
    waves = {"amplitude_bp": dict.fromkeys(symbols, 5.0), "beta": dict.fromkeys(symbols, 0.3)}
    return SourceParams(**PARAMS["source"] | {"synthetic": market | waves})


def params_of(symbols: list[str], first: date, last: date, **requests) -> dict:
    """The committed study on another universe, its requests changed, and with them the rule and the grid."""
    asked = PARAMS["requests"] | requests
    return PARAMS | {
        "source": source_of(sorted(symbols)).model_dump(mode="json"),
        "universe": PARAMS["universe"]
        | {"symbols": symbols, "whitelist": [], "context_symbol": None}
        | {"first_session": str(first), "last_session": str(last)},
        "requests": asked,
        "rules": PARAMS["rules"] | {"history_days": asked["history_days"][0]},
        "sweep": PARAMS["sweep"] | {"grid": PARAMS["sweep"]["grid"] | {"history_days": asked["history_days"]}},
    }


def folder_of_stages(folder: Path, params: dict) -> None:
    """A place where stages can run, with these params."""
    (folder / ".dvc").mkdir(parents=True)
    (folder / "conf").symlink_to(ROOT / "conf")
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


SOURCE = source_of(symbols_of(MOST))
FEATURES = FeaturesParams(**PARAMS["features"])
DIALECT = DialectParams(**{name: PARAMS["source"][name] for name in DialectParams.model_fields})
CALENDAR = trading_calendar(date(2024, 9, 3), date(2024, 10, 15))
