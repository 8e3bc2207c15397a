"""Runs other than the present one: experiments, replays, and the log of every trial."""
