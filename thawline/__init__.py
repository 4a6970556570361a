"""Transfer learning on your own images, as one TFX pipeline.

The code is in the folders `pipeline`, `components` and `schemas` of the repository's top level; the
links beside this file make them `thawline.pipeline`, `thawline.components` and `thawline.schemas`
for Python, type checkers and editors alike.
"""

import pathlib

__version__ = '0.1.0'

# The folder that holds the package: the checkout, or the environment's site-packages. Links are not
# followed, so that a module's path below it is its name.
ROOT = pathlib.Path(__file__).absolute().parent.parent
