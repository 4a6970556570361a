"""Puts the weights of the pretrained base into the cache key, by their content.

A configuration names them: a file, a package, a file that Keras downloads. What lies under the name
can change. It is read when the node is about to run, because it may be there only then.
"""

from __future__ import annotations

from tfx.orchestration.portable import data_types
from tfx.utils import json_utils

from thawline.components import backbones
from thawline.components.backbones.params import PretrainedBase
from thawline.components.shared import driver, files, property_names


class Driver(driver.Driver):
    """Driver of the nodes that build the base."""

    PROPERTY = property_names.WEIGHTS_DIGEST

    def value(self, execution_info: data_types.ExecutionInfo) -> str:
        """A digest of the weights."""
        properties = execution_info.exec_properties
        if property_names.CUSTOM_CONFIG in properties:  # of Trainer and Tuner
            properties = json_utils.loads(str(properties[property_names.CUSTOM_CONFIG]))
        base = PretrainedBase.model_validate_json(str(properties['model']))
        return weights_digest(base, int(properties['image_size']))


def weights_digest(base: PretrainedBase, image_size: int) -> str:
    """A digest of the file that the weights are read from; downloads it where Keras has to.

    Empty for random weights, which are a function of what is in the key already: the seed, the code
    and the versions of the libraries.

    Raises:
        UserError: the weights are not there, or cannot be downloaded.
    """
    if base.weights == 'random':
        return ''
    path = backbones.weights_path(base.backbone, base.weights, image_size)
    if path is None:
        return backbones.build(base.backbone, image_size, base.weights).weights_digest
    return files.sha256(path)
