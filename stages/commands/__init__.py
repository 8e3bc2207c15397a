"""What a user asks beside the graph: prices, ledgers, choices, health. Never a stage."""
