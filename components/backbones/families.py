"""Constructors of the backbones: raw pixels in, last feature map out, native scaling included.

Contract of every function here: `pixels` is a Keras tensor [N, H, W, 3] float32 with values in
[0, 255]; `weights` is 'imagenet' (Keras downloads) or None (random). Returns a flat functional
model from the tensor's input to the feature map [N, h, w, C] float32.
"""

from __future__ import annotations

import math

import keras

from thawline.components.backbones import efficientnet_lite0 as lite0

# Means of ImageNet in BGR order, subtracted without any scaling: how the original Caffe ResNet
# weights were trained (keras.applications.imagenet_utils, mode 'caffe').
_CAFFE_BGR_MEAN = (103.939, 116.779, 123.68)
_IMAGENET_RGB_STDDEV = (0.229, 0.224, 0.225)


def _to_unit_range(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """[0, 255] to [-1, 1]: scaling of the TensorFlow-trained MobileNets and ResNet V2."""
    return keras.layers.Rescaling(1 / 127.5, offset=-1.0, name='to_unit_range')(pixels)


def mobilenet_v2(pixels: keras.KerasTensor, weights: str | None) -> keras.Model:
    """MobileNetV2, width 1.0 (Sandler et al. 2018, arXiv:1801.04381)."""
    return keras.applications.MobileNetV2(
        input_tensor=_to_unit_range(pixels), include_top=False, weights=weights
    )


def mobilenet_v2_035(pixels: keras.KerasTensor, weights: str | None) -> keras.Model:
    """MobileNetV2, width 0.35: the smallest with ImageNet weights."""
    return keras.applications.MobileNetV2(
        input_tensor=_to_unit_range(pixels), alpha=0.35, include_top=False, weights=weights
    )


def resnet50(pixels: keras.KerasTensor, weights: str | None) -> keras.Model:
    """ResNet-50 (He et al. 2015, arXiv:1512.03385); its weights want BGR minus the mean."""
    bgr = keras.ops.flip(pixels, axis=-1)
    offset = [-mean for mean in _CAFFE_BGR_MEAN]
    centred = keras.layers.Rescaling([1.0] * 3, offset=offset, name='subtract_bgr_mean')(bgr)
    return keras.applications.ResNet50(input_tensor=centred, include_top=False, weights=weights)


def resnet50_v2(pixels: keras.KerasTensor, weights: str | None) -> keras.Model:
    """ResNet-50 V2, pre-activation (He et al. 2016, arXiv:1603.05027)."""
    return keras.applications.ResNet50V2(
        input_tensor=_to_unit_range(pixels), include_top=False, weights=weights
    )


def efficientnet_v2_b0(pixels: keras.KerasTensor, weights: str | None) -> keras.Model:
    """EfficientNetV2-B0 (Tan & Le 2021, arXiv:2104.00298); Keras builds its scaling in."""
    return keras.applications.EfficientNetV2B0(
        input_tensor=pixels, include_top=False, weights=weights
    )


def efficientnet_b0(pixels: keras.KerasTensor, weights: str | None) -> keras.Model:
    """EfficientNet-B0 (Tan & Le 2019, arXiv:1905.11946); Keras builds its scaling in.

    Keras adds the last step of that scaling (a division by the root of the standard deviation,
    tensorflow/tensorflow#49930) only where it loads the weights itself. The same weights from a
    file would see inputs about half as large, so the step is put in here for every source.
    """
    model = keras.applications.EfficientNetB0(
        input_tensor=pixels, include_top=False, weights=weights
    )
    if weights == 'imagenet':
        return model

    def with_last_scaling(layer: keras.layers.Layer, *args: object, **kwargs: object) -> object:
        outputs = layer(*args, **kwargs)
        if isinstance(layer, keras.layers.Normalization):
            scale = [1 / math.sqrt(stddev) for stddev in _IMAGENET_RGB_STDDEV]
            return keras.layers.Rescaling(scale, name='divide_by_root_stddev')(outputs)
        return outputs

    return keras.models.clone_model(model, call_function=with_last_scaling)


def mobilenet_v3_large(pixels: keras.KerasTensor, weights: str | None) -> keras.Model:
    """MobileNetV3-Large (Howard et al. 2019, arXiv:1905.02244); Keras builds its scaling in."""
    return keras.applications.MobileNetV3Large(
        input_tensor=pixels, include_top=False, weights=weights
    )


def convnext_tiny(pixels: keras.KerasTensor, weights: str | None) -> keras.Model:
    """ConvNeXt-Tiny (Liu et al. 2022, arXiv:2201.03545); Keras builds its scaling in."""
    return keras.applications.ConvNeXtTiny(input_tensor=pixels, include_top=False, weights=weights)


def efficientnet_lite0(pixels: keras.KerasTensor, weights: str | None) -> keras.Model:
    """EfficientNet-Lite0; its weights come from a package or a file, never from Keras."""
    del weights
    return lite0.construct(pixels, include_top=False)
