"""Every variant of the rule that the sweep tried."""

import dataframely as dy

from stages.tables.contract import Table, number


class GridDaily(Table):
    """One row a combo and session, zeros included. *Units*: `net_bp` in bp of the whole capital, as in `Daily`."""

    combo = dy.String(primary_key=True, nullable=False)
    session = dy.Date(primary_key=True, nullable=False)
    net_bp = number(9)
