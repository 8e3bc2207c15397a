"""A canary for a silent change of the model: one stored question is asked again, and its two answers are compared.

The question is the stored one with the smallest key among those asked now, so that a study asks the same one each time.
The new answer is paid for, compared and not kept: the stored one stays what its key says.
*Errors*: `ConfigurationError` (exit 5) when no question has a stored answer, `BudgetStop` at a limit.
"""

from collections.abc import Mapping, Sequence

from stages.errors import BudgetStop, ConfigurationError
from stages.forecasting.backend import Asked
from stages.outside.paid.batches import Batch
from stages.outside.paid.independence import TOLERANCE, difference_of
from stages.outside.paid.purchase import Buyer
from stages.outside.paid.records import Record
from stages.outside.paid.seller import CallFailed


def canary_of(asked: Sequence[Asked], stored: Mapping[str, Record]) -> Batch:
    """The question to ask again, by itself."""
    answered = [one for one in asked if one.question.key in stored]
    if not answered:
        raise ConfigurationError("none of these questions has a stored answer to compare with: buy one first.")
    return Batch((min(answered, key=lambda one: one.question.key),))


def still_sings(buyer: Buyer, batch: Batch, stored: Mapping[str, Record]) -> tuple[bool, float]:
    """Ask the question again; whether the answers are equal, and how far they lie apart as a share of their range."""
    key = batch.questions[0].key
    try:
        got = buyer.ask(batch, again=[key])
    except CallFailed as failure:
        raise failure.error from None
    if got is None:
        raise BudgetStop("another run holds this question: run `make canary` again later.")
    buyer.drop(got, "a canary: compared, not kept")
    difference = difference_of(stored[key].values_bp, got.bought.values_bp[0])
    return difference <= TOLERANCE, difference
