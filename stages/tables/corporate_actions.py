"""Jumps of a price that the user knows of: splits, spin-offs, news that halved it."""

import dataframely as dy

from stages.tables.contract import Table


class CorporateActions(Table):
    """One row a symbol and session; `price_factor` is the new price over the old one: 0.25 for a 4:1 split.

    *Time*: the factor is expected between the last close before the session and its open, or once within it.
    """

    session = dy.Date(primary_key=True, nullable=False)
    symbol = dy.String(primary_key=True, nullable=False, regex=r"^[A-Z][A-Z0-9.\-]{0,14}$")
    price_factor = dy.Float64(nullable=False, min_exclusive=0, allow_inf=False, allow_nan=False)
    reason = dy.String(nullable=False, min_length=1)
