"""From forecasts to trades, one book and its gates: rules, compiled engine, grid, ranking, holdout."""
