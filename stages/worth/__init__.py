"""Is paying worth it: evidence that the asked forecaster beats the best free one, day by day, and the verdict in words."""
