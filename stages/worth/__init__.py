"""Is paying worth it: whether the asked forecaster beats the best free one, day by day, with a verdict in words."""
