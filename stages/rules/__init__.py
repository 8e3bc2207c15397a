"""When a forecast becomes a trade: costs, expected value, one decision a signal."""
