"""How Sphinx builds ``docs/`` into pages (``make docs``): offline, and a broken link fails the build."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import dictionary  # noqa: E402
import drawings  # noqa: E402
import formulas  # noqa: E402

project = "asco_dagster"
copyright = "the contributors, under the EUPL-1.2"
language = "en"
extensions = ["myst_parser"]
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
myst_dmath_double_inline = True
exclude_patterns = ["site", "_build"]
html_math_renderer = "mathml"
html_theme = "furo"
html_title = "asco_dagster"
html_static_path = [str(HERE / "static")]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}


def _generate(app: Sphinx) -> None:
    """Write the drawings and the dictionary from the code before the pages are read."""
    folder = Path(app.srcdir) / "generated"
    folder.mkdir(exist_ok=True)
    drawings.write_drawings(folder)
    dictionary.write_dictionary(folder)


def setup(app: Sphinx) -> None:
    """Register the formulas and what is generated."""
    formulas.register(app)
    app.connect("builder-inited", _generate)
