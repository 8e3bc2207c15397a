"""What a request may cost in requests, tokens and money, before it is sent and as the service counts it.

A token is one number that is sent or returned. Input: the rows of every series times its columns, known futures
included. Output: the mean and both bounds of every interval, for every series and step. Finetune: the input once per
step. Where the tariff leaves `tokens_per_value` open, the least that the service may count is one token per row and
step.

*Units*: `money` in the currency of `api.tariff`, exact decimals; 0 without a tariff.
*Source*: "one token corresponds to one data point in your input dataset or output dataset", Microsoft's page on
Nixtla's TimeGEN-1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import ROUND_CEILING, Decimal
from typing import Any

from stages.params.api import Tariff
from stages.questions.question import Question

MILLION = 1_000_000
TOKENS = ("input_tokens", "output_tokens", "finetune_tokens")


@dataclass(frozen=True)
class Units:
    """What one or more requests cost."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    finetune_tokens: int = 0
    money: Decimal = Decimal(0)

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.input_tokens + self.output_tokens + self.finetune_tokens

    def __add__(self, other: "Units") -> "Units":
        return Units(*(mine + its for mine, its in zip(_values(self), _values(other), strict=True)))

    def document(self) -> dict[str, Any]:
        """Its form in the ledger."""
        return {**asdict(self), "money": str(self.money)}


def parse_units(document: Mapping[str, Any]) -> Units:
    """The units in a document of `Units.document`. *Errors*: `ValueError` and the like."""
    units = Units(**{**document, "money": Decimal(document["money"])})
    if not all(type(value) is int and value >= 0 for value in _values(units)[:-1]) or not units.money >= 0:
        raise ValueError(f"{document} are not units")
    return units


def units_of(note: Mapping[str, Any], tariff: Tariff | None) -> Units:
    """What a reservation counts; for one of an earlier version, as far as it says what was sent.

    It may be older than the tariff, under which a value may be more tokens: more of those that were reserved, not of
    those that the service counted.
    """
    series = note.get("series", 0)
    values = series * note.get("horizon_min", 0) * _values_a_step(note.get("levels", []))
    counted = parse_units(note["units"]) if "units" in note else Units(1, note.get("input_tokens") or 0)
    reserved = note.get("reserved") or note.get("units")
    held = parse_units(reserved) if reserved else Units(1, note.get("rows", 0), values)
    more = max(values * _tokens_each(tariff) / max(held.output_tokens, 1), Decimal(1))
    tokens = {name: max(getattr(counted, name), _whole(getattr(held, name) * more)) for name in TOKENS}
    return replace(counted, **tokens, money=max(counted.money, _money(tokens, series, tariff)))


def most(questions: Sequence[Question], tariff: Tariff | None) -> Units:
    """The most that one request for these questions costs; without questions, a request that asks no forecast."""
    rows = sum(_columns(one) * one.rows + len(one.futr_exog) * one.horizon_min for one in questions)
    returned = sum(_values_a_step(one.levels) * one.horizon_min for one in questions)
    return _units(questions, rows, returned, tariff)


def least(questions: Sequence[Question], tariff: Tariff | None) -> Units:
    """The least it costs: the same, unless the tariff leaves open how values are counted."""
    if tariff is not None and tariff.tokens_per_value is not None:
        return most(questions, tariff)
    steps = sum(one.horizon_min for one in questions)
    return _units(questions, sum(one.rows for one in questions), steps, tariff)


def at_least_counted(
    counted: Units, counted_by_service: Mapping[str, int | None], series: int, tariff: Tariff | None
) -> Units:
    """The units of an answered request: the reserved amount, or the service's count where that is larger."""
    tokens = {name: max(getattr(counted, name), counted_by_service.get(name) or 0) for name in TOKENS}
    return Units(1, **tokens, money=max(counted.money, _money(tokens, series, tariff)))


def _values(units: Units) -> tuple[Any, ...]:
    return (units.requests, units.input_tokens, units.output_tokens, units.finetune_tokens, units.money)


def _columns(question: Question) -> int:
    return 1 + len(question.hist_exog) + len(question.futr_exog)


def _values_a_step(levels: Sequence[int]) -> int:
    """The mean and the two bounds of each interval that the levels need."""
    return 1 + 2 * len({abs(100 - 2 * level) for level in levels})


def _units(questions: Sequence[Question], sent: int, returned: int, tariff: Tariff | None) -> Units:
    each = _tokens_each(tariff)
    steps = int(questions[0].options.get("finetune_steps", 0)) if questions else 0
    counts = (sent, returned, sent * steps)
    tokens = {name: _whole(count * each) for name, count in zip(TOKENS, counts, strict=True)}
    return Units(1, **tokens, money=_money(tokens, len(questions), tariff))


def _tokens_each(tariff: Tariff | None) -> Decimal:
    """The most tokens that a value sent or returned counts as."""
    return (tariff.tokens_per_value if tariff else None) or Decimal(1)


def _money(tokens: Mapping[str, int], series: int, tariff: Tariff | None) -> Decimal:
    if tariff is None:
        return Decimal(0)
    prices = (tariff.per_million_input, tariff.per_million_output, tariff.per_million_finetune)
    metered = sum((tokens[name] * price for name, price in zip(TOKENS, prices, strict=True)), Decimal(0))
    return tariff.per_request + tariff.per_series * series + metered / MILLION


def _whole(tokens: Decimal) -> int:
    return int(tokens.to_integral_value(ROUND_CEILING))
