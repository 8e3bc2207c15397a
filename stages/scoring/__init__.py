"""How good a forecast is and how sure we can be: metrics, controls, significance, gates."""
