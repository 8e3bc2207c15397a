"""Calibration: quantiles corrected by errors already known at each snapshot, and the free mix."""
