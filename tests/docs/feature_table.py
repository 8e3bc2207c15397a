"""The two lists of docs/FEATURES.md, made from the catalogue. Run: python -m tests.docs.feature_table"""

from stages.errors import count
from stages.features.catalogue import FEATURES
from tests.docs.blocks import ROOT
from tests.features.made_bars import features_params

PAGE = ROOT / "docs/FEATURES.md"
HEAD = "| name | formula | unit | look-back |\n|---|---|---|---|\n"
AHEAD = "\nKnown ahead, events once they are announced:\n\n"


def table() -> str:
    """A row a feature, then a line each that is known ahead, in the catalogue's order, under the committed params."""
    ahead = [name for name, feature in FEATURES.items() if feature.known_ahead or feature.announced]
    rows = "".join(_row(name) for name in FEATURES if name not in ahead)
    return HEAD + rows + AHEAD + "".join(f"- `{name}`: {FEATURES[name].formula}\n" for name in ahead)


def _row(name: str) -> str:
    feature, params = FEATURES[name], features_params()
    bars, sessions = feature.lookback_bars(params), feature.lookback_sessions(params)
    lookback = ", ".join(count(n, unit) for n, unit in ((bars, "bar"), (sessions, "session")) if n)
    return f"| `{name}` | {feature.formula} | {feature.unit} | {lookback} |\n"


def main() -> None:
    """Put the lists in the place of those that stand at the end of the page."""
    text = PAGE.read_text()
    PAGE.write_text(text[: text.index(HEAD)] + table())


if __name__ == "__main__":
    main()
