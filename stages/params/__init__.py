"""Every section of params.yaml as a frozen value, one file a folder of conf/; ranges and units are stated here."""
