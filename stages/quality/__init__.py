"""Which bars are sound: ingestion to canonical bars, checks, the gate's verdict."""
