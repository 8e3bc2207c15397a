"""conf/ and params.yaml: composed, checked as a whole, and edited when a choice is adopted."""
