"""Is paying worth it: does the asked forecaster beat the best free one, by day, as a verdict, and in words."""
