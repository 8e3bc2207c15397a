"""Stage `report`: one self-contained page a stranger can judge the run by."""
