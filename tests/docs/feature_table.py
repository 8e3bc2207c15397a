"""The table of docs/FEATURES.md, made from the catalogue. Run: python -m tests.docs.feature_table"""

from stages.features.catalogue import FEATURES
from tests.docs.blocks import ROOT
from tests.features.made_bars import features_params

PAGE = ROOT / "docs/FEATURES.md"
HEAD = "| name | formula | unit | look-back | known ahead |\n|---|---|---|---|---|\n"


def table() -> str:
    """A row a feature, in the catalogue's order, under the committed params."""
    return HEAD + "".join(_row(name) for name in FEATURES)


def _row(name: str) -> str:
    feature, params = FEATURES[name], features_params()
    bars, sessions = feature.lookback_bars(params), feature.lookback_sessions(params)
    lookback = ", ".join([f"{bars} bars"] * bool(bars) + [f"{sessions} sessions"] * bool(sessions))
    ahead = "yes" if feature.known_ahead else "announced" if feature.announced else ""
    cells = (f"`{name}`", feature.formula, feature.unit, lookback, ahead)
    return f"| {' | '.join(cells)} |\n"


def main() -> None:
    """Put the table in the place of the one that stands at the end of the page."""
    text = PAGE.read_text()
    PAGE.write_text(text[: text.index(HEAD)] + table())


if __name__ == "__main__":
    main()
