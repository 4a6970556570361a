"""A pretrained base: pixels in, feature map out, made of blocks.

Freezing, thawing and splitting count in blocks. Exactly one tensor crosses the edge between two, so
no cut falls inside a residual block.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Literal

import keras


@dataclasses.dataclass(frozen=True)
class Block:
    """Layers with weights that freeze and thaw together, in the order of the forward pass."""

    name: str
    layers: tuple[keras.layers.Layer, ...]


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A base network.

    Attributes:
        name: its name in the registry.
        model: raw pixels [N, H, W, 3] in [0, 255], float32 (uint8 is cast), to the last feature
            map [N, h, w, C] float32. Scaling is inside.
        blocks: from stem to top; every layer with weights is in exactly one.
        weights_digest: sha256 (hex) of the weights file, or of the tensors if they are random.
        weights_source: of the weights, for people.
    """

    name: str
    model: keras.Model
    blocks: tuple[Block, ...]
    weights_digest: str
    weights_source: str


def sort_into_blocks(model: keras.Model, block_pattern: str) -> tuple[Block, ...]:
    """Sorts the layers that have weights into blocks.

    Args:
        model: flat functional model.
        block_pattern: regular expression whose one group, found in a layer's name, names its
            block. Weighted layers before the first match form `stem`, those after the last `top`,
            those between two blocks (downsampling) belong to the one that follows.
    """
    weighted = [layer for layer in model.layers if layer.weights]
    matches = [re.search(block_pattern, layer.name) for layer in weighted]
    labels: list[str | None] = [match.group(1) if match else None for match in matches]
    first = next(i for i, label in enumerate(labels) if label)
    last = max(i for i, label in enumerate(labels) if label)
    following = 'top'
    for i in reversed(range(len(labels))):
        if i < first:
            following = 'stem'
        labels[i] = following = labels[i] or (following if i < last else 'top')
    layers: dict[str, list[keras.layers.Layer]] = {}
    for label, layer in zip(labels, weighted, strict=True):
        layers.setdefault(str(label), []).append(layer)
    return tuple(Block(name, tuple(members)) for name, members in layers.items())


def block_edges(model: keras.Model, blocks: tuple[Block, ...]) -> tuple[keras.KerasTensor, ...]:
    """The one tensor that crosses each edge between two blocks, from stem to top.

    Of several tensors in a row that could be the edge (before and after an activation) it is the
    last: layers without weights belong to the lower block.

    Returns:
        len(blocks) - 1 symbolic tensors of `model`.

    Raises:
        ValueError: more than one tensor crosses: the blocks do not fit the network.
    """
    block_of = {layer: i for i, block in enumerate(blocks) for layer in block.layers}
    steps = _steps(model)
    position = {op: i for i, (op, _, _) in enumerate(steps)}
    starts = [min(position[layer] for layer in block.layers) for block in blocks]
    ends = [max(position[layer] for layer in block.layers) for block in blocks]
    edges = []
    for i in range(len(blocks) - 1):
        edge = None
        for cut in range(ends[i] + 1, starts[i + 1] + 1):
            crossing = _crossing_tensors(steps, cut, model.outputs)
            if len(crossing) == 1:
                edge = crossing[0]
        if edge is None:
            raise ValueError(
                f'No single tensor crosses from block {blocks[i].name} to {blocks[i + 1].name} of '
                f'{model.name}: the blocks do not fit the network.'
            )
        edges.append(edge)
    if len(block_of) != sum(1 for layer in model.layers if layer.weights):
        raise ValueError(f'Blocks of {model.name} do not cover each layer with weights once.')
    return tuple(edges)


_Step = tuple[keras.Operation, list[keras.KerasTensor], list[keras.KerasTensor]]


def _steps(model: keras.Model) -> list[_Step]:
    """The graph in the order of execution: (operation, tensors in, tensors out)."""
    nodes = {id(node): node for depth in model._nodes_by_depth.values() for node in depth}
    steps = []
    for operation in model.operations:
        for node in operation._inbound_nodes:
            # Once the base was split, an operation has nodes of other models too.
            if id(node) in nodes:
                steps.append((operation, list(node.input_tensors), list(node.output_tensors)))
    return steps


def _crossing_tensors(
    steps: list[_Step], cut: int, outputs: list[keras.KerasTensor]
) -> list[keras.KerasTensor]:
    """Tensors made before step `cut` that are used from there on."""
    before = {id(tensor): tensor for _, _, results in steps[:cut] for tensor in results}
    used = [tensor for _, inputs, _ in steps[cut:] for tensor in inputs] + list(outputs)
    return list({id(t): before[id(t)] for t in used if id(t) in before}.values())


def split_at(backbone: Backbone, block_index: int) -> tuple[keras.Model, keras.Model]:
    """Splits the base below block `block_index`; both parts share its layers.

    Args:
        block_index: 1 to len(blocks) - 1; the first block of the upper part.

    Returns:
        (lower, upper): pixels to the activation at the edge, and from there to the feature map;
        upper(lower(x)) is model(x).

    Raises:
        ValueError: no such edge.
    """
    if not 1 <= block_index < len(backbone.blocks):
        raise ValueError(
            f'{backbone.name} can be split below block 1 to {len(backbone.blocks) - 1}. '
            f'Received: block_index={block_index}'
        )
    edge = block_edges(backbone.model, backbone.blocks)[block_index - 1]
    lower = keras.Model(backbone.model.inputs[0], edge, name=f'{backbone.name}_lower')
    upper = keras.Model(edge, backbone.model.outputs[0], name=f'{backbone.name}_upper')
    return lower, upper


def set_trainable(
    backbone: Backbone, thawed_blocks: int, batch_norm: Literal['frozen', 'affine']
) -> None:
    """Makes the top `thawed_blocks` blocks trainable and everything else not.

    Call the base with `training=False` all the same: that keeps BatchNormalization on its stored
    statistics when its scale and offset are trained. Recompile afterwards.

    Args:
        thawed_blocks: 0 (all frozen) to len(blocks) (all thawed).
        batch_norm: 'frozen': BatchNormalization is never trained; 'affine': scale and offset of
            thawed blocks are, the statistics never.

    Raises:
        ValueError: an argument is out of range.
    """
    count = len(backbone.blocks)
    if not 0 <= thawed_blocks <= count:
        raise ValueError(
            f'{backbone.name} has {count} blocks, of which 0 to {count} can thaw. '
            f'Received: thawed_blocks={thawed_blocks}'
        )
    if batch_norm not in ('frozen', 'affine'):
        raise ValueError(f"batch_norm is 'frozen' or 'affine'. Received: batch_norm={batch_norm!r}")
    # Unless the model itself is trainable, Keras reports no trainable variable.
    backbone.model.trainable = True
    for i, block in enumerate(backbone.blocks):
        thawed = i >= count - thawed_blocks
        for layer in block.layers:
            layer.trainable = thawed
            for inner in layer._flatten_layers(include_self=True, recursive=True):
                if isinstance(inner, keras.layers.BatchNormalization):
                    inner.trainable = thawed and batch_norm == 'affine'
