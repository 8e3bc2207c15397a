"""Correcting quantiles by errors already known at each snapshot."""
