"""Commands outside the graph of stages: prices, ledgers, choices, health."""
