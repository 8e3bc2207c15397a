"""Sessions of the market, the minute grid, the snapshots at which we ask, and spans of the record."""
