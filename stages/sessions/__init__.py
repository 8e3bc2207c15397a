"""When the market is open and when we ask: sessions, the minute grid, snapshots, spans of the record."""
