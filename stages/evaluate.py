"""Stage `evaluate`: portfolio, cost curve and gates; out of sample too if the holdout was opened for this strategy."""
