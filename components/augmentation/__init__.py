"""Random changes of images, for the Trainer and the Embedder.

A package of its own, so that an edit of the recipe does not change the digest of the Embedder's
code.
"""

from __future__ import annotations

from thawline.components.augmentation.augment import augment, compile_views
from thawline.components.augmentation.draws import DRAWS, view_draws
from thawline.components.augmentation.policies import POLICIES, Policy

__all__ = ['DRAWS', 'POLICIES', 'Policy', 'augment', 'compile_views', 'view_draws']
