"""Settings of every test run."""

from __future__ import annotations

import os

import hypothesis

# Before anything imports TensorFlow.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

# Timings vary too much on a busy machine for a deadline to say anything about the code.
hypothesis.settings.register_profile('thawline', deadline=None, derandomize=True)
hypothesis.settings.load_profile('thawline')
