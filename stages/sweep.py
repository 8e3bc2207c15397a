"""Stage `sweep`: the whole rule grid on the search span, ranked honestly; a proposal."""
