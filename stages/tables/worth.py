"""Tables of the buyer's verdict: what each session asks for, and the evidence by day."""

import dataframely as dy

from stages.tables.contract import Table, number


class Calls(Table):
    """What the questions of a session ask for: requests at one a snapshot, and their tokens at most.

    It says nothing of what was bought, or when: packed or stored answers may have cost less.
    """

    session = dy.Date(primary_key=True, nullable=False)
    calls = dy.Int64(nullable=False, min=1)
    tokens = dy.Int64(nullable=False, min=1)


class WorthDays(Table):
    """One row a session, question (`shape`, `direction` or `money`) and cell.

    `cell` names what is compared: `primary` (the verdict's own), `raw` (as answered), `horizon=5`, `symbol=AAPL`, or
    `free=har` (against one free forecast instead of the mix). `before` marks days that the model may have been trained
    on: they hold a value and no evidence.

    *Units*: `x`, `mean`, `s`, `lower`, `upper` in shares of the expected loss (money: in the currency of the prices, or
    bp without `worth.notional`); E as `log10`. `lower` and `upper` are null while the interval has no such bound, and,
    but for primary cells, on other days than the deciding and the last one.
    *Time*: a row knows the outcomes of its session and of earlier ones; `s` earlier ones only.
    """

    question = dy.String(primary_key=True, nullable=False)
    cell = dy.String(primary_key=True, nullable=False)
    session = dy.Date(primary_key=True, nullable=False)
    before = dy.Bool(nullable=False)
    n_questions = dy.Int32(nullable=False, min=0)
    x = number(9)
    mean = number(9, nullable=True)
    s = number(9, nullable=True)
    log10_e_better = number(6, nullable=True)
    log10_e_small = number(6, nullable=True)
    lower = number(9, nullable=True)
    upper = number(9, nullable=True)
