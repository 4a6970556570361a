"""`python -m thawline`: the command, by a chosen interpreter."""

from thawline.pipeline.cli import main

main()
