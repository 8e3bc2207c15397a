"""Stage `backtest`: the rule that params state, trade by trade, on the search span."""
