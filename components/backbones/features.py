"""Features for the head: pooled activations of the last feature map, or of several stages.

Early stages hold texture and edges, late ones parts and objects; a linear head on all of them can
be better than on the last one where the images are unlike those that the base was trained on (Evci
et al., "Head2Toe", ICML 2022).
"""

from __future__ import annotations

from typing import Literal

import keras

from thawline.components.backbones.backbone import Backbone, block_edges

Features = Literal['top', 'blocks']
_MIN_STRIDE = 8  # activations of finer maps are too simple for their mean to be useful


def stage_ends(backbone: Backbone) -> tuple[tuple[str, keras.KerasTensor], ...]:
    """The last block edge of each stage below the top, from stem to top.

    A stage is a run of blocks whose activations have the same resolution and number of channels;
    those of a resolution finer than an eighth of the image, and the last one, which ends in the
    feature map itself, are left out.

    Returns:
        (name of the block below the edge, symbolic tensor [N, h, w, C]) each.
    """
    edges = list(zip(backbone.blocks, block_edges(backbone.model, backbone.blocks), strict=False))
    side = backbone.model.input_shape[1]
    above = [edge.shape for _, edge in edges[1:]] + [backbone.model.outputs[0].shape]
    return tuple(
        (block.name, edge)
        for (block, edge), following in zip(edges, above, strict=True)
        if edge.shape != following and round(side / edge.shape[1]) >= _MIN_STRIDE
    )


def feature_slices(backbone: Backbone, features: Features) -> tuple[tuple[str, slice], ...]:
    """The columns of the features by their source, in order.

    Returns:
        (name of the block, or 'top' for the last feature map; its columns) each.

    Raises:
        ValueError: `features` is neither 'top' nor 'blocks'.
    """
    if features not in ('top', 'blocks'):
        raise ValueError(f"features is 'top' or 'blocks'. Received: features={features!r}")
    widths = [(name, edge.shape[-1]) for name, edge in stage_ends(backbone)]
    parts = [*(widths if features == 'blocks' else []), ('top', backbone.model.output_shape[-1])]
    slices, start = [], 0
    for name, width in parts:
        slices.append((name, slice(start, start + width)))
        start += width
    return tuple(slices)


def feature_model(backbone: Backbone, features: Features) -> keras.Model:
    """A model from pixels to the features for the head; shares the base's layers.

    Call it with `training=False`, as the base.

    Args:
        features: 'top': the last feature map's mean over the image; 'blocks': those of
            `stage_ends` before it.

    Returns:
        float32 [N, H, W, 3] in [0, 255] -> float32 [N, D], columns as `feature_slices` says.

    Raises:
        ValueError: `features` is neither 'top' nor 'blocks'.
    """
    feature_slices(backbone, features)  # for its check
    maps = [edge for _, edge in stage_ends(backbone)] if features == 'blocks' else []
    joined = _concatenate(_pool([*maps, backbone.model.outputs[0]]))
    return keras.Model(backbone.model.inputs[0], joined, name=f'{backbone.name}_features')


def split_features(
    backbone: Backbone, features: Features, block_index: int
) -> tuple[keras.Model, keras.Model]:
    """Splits `feature_model` below block `block_index`; both parts share the base's layers.

    Call both with `training=False`, as the base.

    Args:
        features: as in `feature_model`.
        block_index: 1 to len(blocks) - 1; the first block of the upper part.

    Returns:
        (lower, upper). lower: pixels float32 [N, H, W, 3] to a list: the activation at the edge,
        float32 [N, h, w, C], and, where the head sees stages below the edge, their pooled
        activations, float32 [N, E]. upper: that list to the features, float32 [N, D].
        upper(lower(x)) is feature_model(x) up to rounding.

    Raises:
        ValueError: no such edge, or `features` is neither 'top' nor 'blocks'.
    """
    feature_slices(backbone, features)  # for its check
    if not 1 <= block_index < len(backbone.blocks):
        raise ValueError(
            f'{backbone.name} can be split below block 1 to {len(backbone.blocks) - 1}. '
            f'Received: block_index={block_index}'
        )
    edge = block_edges(backbone.model, backbone.blocks)[block_index - 1]
    stages = stage_ends(backbone) if features == 'blocks' else ()
    under = {block.name for block in backbone.blocks[:block_index]}
    below = [activation for name, activation in stages if name in under]
    above = [activation for name, activation in stages if name not in under]
    outputs, inputs, parts = [edge], [edge], []
    if below:
        outputs.append(_concatenate(_pool(below)))
        inputs.append(keras.Input(outputs[1].shape[1:], name='pooled_below'))
        parts.append(inputs[1])
    parts += _pool([*above, backbone.model.outputs[0]])
    name = backbone.name
    lower = keras.Model(backbone.model.inputs[0], outputs, name=f'{name}_features_lower')
    return lower, keras.Model(inputs, _concatenate(parts), name=f'{name}_features_upper')


def _pool(maps: list[keras.KerasTensor]) -> list[keras.KerasTensor]:
    return [keras.layers.GlobalAveragePooling2D()(activation) for activation in maps]


def _concatenate(parts: list[keras.KerasTensor]) -> keras.KerasTensor:
    return parts[0] if len(parts) == 1 else keras.layers.Concatenate()(parts)
