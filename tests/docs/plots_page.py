"""The drawing library as one script: for the report, and in the page that `dvc plots` fills, as DVC's own loads it.

Run after `vl-convert-python` changed: python -m tests.docs.plots_page
"""

from collections.abc import Callable
from pathlib import Path

import vl_convert

from stages.io.files import write_text
from stages.reporting.charts import VEGA_LITE

SCRIPT = Path("stages/reporting/templates/vega.js")
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
    """Write both."""
    script = vega()
    write_text(script, SCRIPT)
    write_text(plots_page(script), PAGE)


def vega() -> str:
    """Vega, Vega-Lite and Vega-Embed of `vl-convert-python`, with `</script` escaped. Bundling takes two seconds."""
    bundle: Callable[..., str] = vl_convert.javascript_bundle  # its stub requires more arguments
    return bundle(vl_version=VEGA_LITE).replace("</script", "<\\/script")


def plots_page(script: str) -> str:
    """A page for DVC's pictures that loads nothing."""
    return HTML.replace("VEGA", script)


if __name__ == "__main__":
    main()
