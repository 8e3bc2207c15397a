"""Runs other than the present one: experiments, replays in other worlds, and the log of all that was ever tried."""
