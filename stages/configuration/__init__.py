"""conf/ and params.yaml: composed, checked as a whole, and written to when a choice is adopted."""
