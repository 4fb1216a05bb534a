"""The site: pages of docs/, a page of the API for each room, the gallery, the explorer.

`make docs` builds it into build/docs. It works from a file: nothing is asked of another host."""

import os
import sys
from pathlib import Path

import racedyn as rd

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "site"))
# Programs are kept between two builds; scripts of the gallery run in processes of their own.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(HERE.parent / "build" / "programs"))

project = "racedyn"
author = copyright = "The racedyn authors"
version = release = rd.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "myst_nb",
    "sphinx_gallery.gen_gallery",
    "sphinx_codeautolink",
    "api_pages",
    "forge_pages",
]
exclude_patterns = [
    "gallery",
    "site",
    *(f"examples/**.{ending}" for ending in ("ipynb", "json", "py", "zip", "md5")),
]
nitpicky = True

html_theme = "pydata_sphinx_theme"
html_title = "racedyn"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_sidebars = {page: [] for page in ("index", "tour", "tutorial")}  # they have no pages below
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 7,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
mathjax_path = "mathjax/tex-svg.js"  # one file, with its fonts; `make docs` fetches it

# Docstrings are written for terminals: single backticks are code.
default_role = "code"
autodoc_typehints = "none"  # docstrings say shapes and units
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True

myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath"]
nb_execution_mode = "cache"
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_merge_streams = True

sphinx_gallery_conf = {
    "examples_dirs": ["gallery"],
    "gallery_dirs": ["examples"],
    "filename_pattern": r"/plot_",
    "parallel": 2,
    "backreferences_dir": None,
    "remove_config_comments": True,
    "show_signature": False,
    "download_all_examples": False,
    "image_scrapers": ("matplotlib",),
    "image_srcset": ["2x"],
    "min_reported_time": 1,
    "nested_sections": True,
    "plot_gallery": "True",
    "write_computation_times": False,  # these pages load scripts of other hosts
}
# Scripts of the gallery are linked by the gallery, whose names codeautolink does not find any more.
suppress_warnings = ["config.cache", "codeautolink.match_name"]
trim_doctest_flags = False  # or code isn't found again where names are to be linked
