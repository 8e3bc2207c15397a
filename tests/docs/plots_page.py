"""The page that `dvc plots` fills, with the drawing library inside: DVC's own loads it from the network.

Run after `vl-convert-python` changed: python -m tests.docs.plots_page
"""

from pathlib import Path

from stages.io.files import write_text
from stages.reporting.page import vega

PAGE = Path(".dvc/plots.html")
HTML = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Runs side by side</title>
{refresh_tag}
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff }
body { margin: 1rem auto; max-width: 60rem; padding: 0 1rem }
body > div { overflow-x: auto; max-width: 100%; margin-bottom: 2rem }
table { border-collapse: collapse } td, th { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #ddd }
</style>
<script>
VEGA
</script>
</head>
<body>
<h1>Runs side by side</h1>
{plot_divs}
</body>
</html>
"""


def main() -> None:
    """Write the page."""
    write_text(plots_page(), PAGE)


def plots_page() -> str:
    """A page for DVC's pictures that loads nothing."""
    return HTML.replace("VEGA", vega())


if __name__ == "__main__":
    main()
