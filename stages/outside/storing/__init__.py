"""Where tables lie and how they get there: whole files, fixed parquet, one partition a symbol, objects in a bucket."""
