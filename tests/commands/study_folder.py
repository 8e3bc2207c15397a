"""A folder with params and bars of one symbol, in which the stages run as a user runs them."""

from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import yaml

from stages.params.source import SyntheticParams
from stages.sessions.calendar import trading_calendar
from stages.sources.synthetic import synthetic_bars
from tests.support.programs import Done, run_module

ROOT = Path(__file__).parents[2]
CALENDAR = trading_calendar(date(2024, 9, 23), date(2024, 10, 4))
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
MARKET = SyntheticParams(**yaml.safe_load((ROOT / "conf/source/synthetic.yaml").read_text())["synthetic"])
SOURCE = {
    "name": "mine",
    "kind": "parquet",
    "uri_template": "bars/{symbol}_{yyyy}-{mm}.parquet",
    "aliases": {"time": "ts"},
    "zone": None,
    "bar_label": "start",
    "unit": None,
    "price_scale": 1.0,
    "stamp_format": None,
    "csv": None,
    "renames": {},
    "bar_label_trusted": False,
    "synthetic": None,
}
FACTS = {"input_size": 1000, "model_horizon": 20, "min_rows": 1}
UNIVERSE = {
    "symbols": ["STRONG"],
    "whitelist": ["STRONG"],
    "context_symbol": None,
    "context_symbols": [],
    "first_session": "2024-09-23",
    "last_session": "2024-10-04",
}


@dataclass(frozen=True)
class StudyFolder:
    """A folder with params and bars, in which stages and commands run as `python -m` runs them."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> "StudyFolder":
        """A new one."""
        for folder in ("bars", "conf", ".dvc"):
            (path / folder).mkdir(parents=True)
        (path / "stages").symlink_to(ROOT / "stages")
        (path / "conf/events").symlink_to(ROOT / "conf/events")
        for dated in ("halts", "corporate_actions"):
            (path / "conf" / dated).symlink_to(ROOT / "conf" / dated)
        return cls(path)

    def configure(self, **sections: dict[str, object]) -> None:
        document = deepcopy(PARAMS) | {"source": SOURCE, "universe": UNIVERSE}
        document["requests"] |= {"history_days": [2]}
        document["rules"] |= {"history_days": 2}
        document["sweep"]["grid"] |= {"history_days": [2]}
        document["split"] |= {"holdout_sessions": 1}
        document["forecaster"] |= yaml.safe_load((ROOT / "conf/forecaster/timegpt.yaml").read_text()) | FACTS
        for section, changes in sections.items():
            document[section] = document[section] | changes
        (self.path / "params.yaml").write_text(yaml.safe_dump(document))

    def deliver(self, bars: pl.DataFrame, symbol: str = "STRONG") -> None:
        for month, name in ((9, "2024-09"), (10, "2024-10")):
            part = bars.filter(pl.col("time").dt.month() == month)
            part.write_parquet(self.path / f"bars/{symbol}_{name}.parquet")

    def run(self, *verbs: str, **settings: str) -> Done:
        """The last of these stages and commands, with such an environment; those before must end well."""
        for verb in verbs:
            words = ("stages", verb) if verb == "refresh" else (f"stages.{verb}",)
            done = run_module(self.path, *words, DVC_ROOT=str(self.path), **settings)
            assert verb == verbs[-1] or done.returncode == 0, done.stderr
        return done


def bars() -> pl.DataFrame:
    return synthetic_bars("STRONG", MARKET, CALENDAR).rename({"ts": "time"})
