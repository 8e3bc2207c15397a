"""Answering questions: the Backend protocol, the local forecasters, the quantile table."""
