"""Four-valued verdicts and the judgement that carries one: what every gate, of forecasts or of trades, says.

Not enough evidence is neither a pass nor a failure, and a sealed holdout is not judged at all; a gate that knew only
yes and no would have to lie about both.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """PASS, FAIL, INCONCLUSIVE (too little evidence to say) or SEALED (the holdout is closed)."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    SEALED = "SEALED"


WORST_FIRST = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.SEALED, Verdict.PASS)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """One gate's verdict with all that is needed to check it by hand.

    `bound` is the confidence bound that the rule looked at (null when it looked at none), `words` say what the test
    could have seen with this much data.
    """

    verdict: Verdict
    value: float | None
    threshold: float
    bound: float | None
    n: int
    n_days: int
    words: str

    def as_document(self) -> dict[str, object]:
        """Plain values for JSON."""
        return asdict(self) | {"verdict": self.verdict.value}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of all together: FAIL before INCONCLUSIVE before SEALED before PASS; of none, INCONCLUSIVE.

    INCONCLUSIVE outranks SEALED: where the search span cannot decide, opening the holdout would not help.
    """
    return min(verdicts, key=WORST_FIRST.index, default=Verdict.INCONCLUSIVE)
