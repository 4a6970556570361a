"""Which input scaling do EfficientNet-Lite0's packaged ImageNet weights want?

Two sources disagree: the package's reference code says ImageNet mean and standard deviation, the
TensorFlow original (x - 127) / 128. This measures both with linear probes (logistic regression on
standardised, pooled features, stratified folds) on real image sets, and with the network's own
head on two photographs whose class is known.

    nice .venv/bin/python -m benchmarks.lite0_scaling --data ../shared/data
    nice .venv/bin/python -m benchmarks.lite0_scaling --sets solar_cells --images 2624 --repeats 1

`--data` holds one folder a set, with one folder a class in each. The solar cells come from the
package elpv-dataset (defective: probability above 0.5), the photographs from scikit-learn. Takes
about 5 minutes on 2 cores; the tables on standard output are those in lite0_scaling.md.
"""

from __future__ import annotations

import argparse
import pathlib
import sys

import keras
import numpy as np
from elpv_dataset.utils import load_dataset
from PIL import Image
from sklearn.datasets import load_sample_image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from thawline.components.backbones import efficientnet_lite0, package_weights, torch_checkpoint

FOLDER_SETS = ('flowers5', 'trashnet', 'hymenoptera')
SETS = (*FOLDER_SETS, 'solar_cells')
# ImageNet classes (0 to 999) of scikit-learn's two sample photographs
PHOTOGRAPHS = {'china.jpg': (698, 'palace'), 'flower.jpg': (985, 'daisy')}
SIZE = 224
SEED = 0


def resized(image: Image.Image) -> np.ndarray:
    """An image stretched to [SIZE, SIZE, 3] uint8, bilinear."""
    return np.asarray(image.convert('RGB').resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def centre(image: Image.Image) -> Image.Image:
    """The middle square of 7/8 of the shorter side, as in ImageNet's usual evaluation."""
    side = min(image.size) * 7 // 8
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def subset(labels: np.ndarray, count: int) -> np.ndarray:
    """Indices [min(count, N)] of a stratified sample."""
    if len(labels) <= count:
        return np.arange(len(labels))
    kept, _ = train_test_split(
        np.arange(len(labels)), train_size=count, stratify=labels, random_state=SEED
    )
    return np.sort(kept)


def read_folder(folder: pathlib.Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images [N, SIZE, SIZE, 3] uint8 and labels [N] of a folder with one folder a class."""
    paths = sorted(path for path in folder.glob('*/*') if path.is_file())
    if not paths:
        sys.exit(f'There are no images in {folder}; --data must hold {", ".join(FOLDER_SETS)}.')
    labels = np.array([path.parent.name for path in paths])
    kept = subset(labels, count)
    images = []
    for i in kept:
        with Image.open(paths[i]) as image:
            images.append(resized(image))
    return np.stack(images), labels[kept]


def read_solar_cells(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images [N, SIZE, SIZE, 3] uint8 and labels [N] (defective or not) of elpv-dataset."""
    cells, probabilities, _ = load_dataset()
    defective = probabilities > 0.5
    kept = subset(defective, count)
    return np.stack([resized(Image.fromarray(cells[i])) for i in kept]), defective[kept]


def network(scaling: str) -> tuple[keras.Model, keras.Model]:
    """(pooled features [N, 1280], class probabilities [N, 1000]) of one network."""
    pixels = keras.Input((SIZE, SIZE, 3))
    classifier = efficientnet_lite0.construct(pixels, include_top=True, scaling=scaling)
    path = package_weights.verified_path()
    tensors = torch_checkpoint.read_tensors(path)
    efficientnet_lite0.assign_torch_tensors(classifier, tensors, str(path))
    pooled = classifier.get_layer('avg_pool').output
    return keras.Model(pixels, pooled), classifier


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--data', type=pathlib.Path, help='folder that holds the folder sets')
    parser.add_argument('--sets', nargs='+', choices=SETS, default=list(SETS))
    parser.add_argument('--images', type=int, default=600, help='at most so many a set')
    parser.add_argument('--repeats', type=int, default=3, help='times that 5 folds are drawn')
    parser.add_argument('--c', type=float, default=0.01, help='inverse L2 strength of the probe')
    arguments = parser.parse_args()
    if arguments.data is None and set(arguments.sets) & set(FOLDER_SETS):
        parser.error(f'--data is needed for {", ".join(FOLDER_SETS)}')

    networks = {scaling: network(scaling) for scaling in efficientnet_lite0.SCALINGS}
    first, second = networks
    folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=arguments.repeats, random_state=SEED)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=arguments.c, max_iter=2000))
    print(f'| set | images | {first} | {second} | difference, folds paired |')
    print('|---|---|---|---|---|')
    for name in arguments.sets:
        if name == 'solar_cells':
            images, labels = read_solar_cells(arguments.images)
        else:
            images, labels = read_folder(arguments.data / name, arguments.images)
        accuracy = {
            scaling: cross_val_score(
                probe, features.predict(images, batch_size=32, verbose=0), labels, cv=folds
            )
            for scaling, (features, _) in networks.items()
        }
        difference = accuracy[first] - accuracy[second]
        cells = [f'{scores.mean():.3f} ± {scores.std(ddof=1):.3f}' for scores in accuracy.values()]
        print(
            f'| {name} | {len(images)} | {" | ".join(cells)} | {difference.mean():+.3f} ± '
            f'{difference.std(ddof=1):.3f}; better in {np.mean(difference > 0):.0%}, worse in '
            f'{np.mean(difference < 0):.0%} |',
            flush=True,
        )
    print()
    print(f'| photograph | class | {first} | {second} |')
    print('|---|---|---|---|')
    for photograph, (index, label) in PHOTOGRAPHS.items():
        image = resized(centre(Image.fromarray(load_sample_image(photograph))))[None]
        cells = []
        for _, classifier in networks.values():
            probabilities = classifier.predict(image, verbose=0)[0]
            right = 'top-1' if probabilities.argmax() == index else 'not top-1'
            cells.append(f'{probabilities[index]:.3f}, {right}')
        print(f'| {photograph} | {label} | {" | ".join(cells)} |')


if __name__ == '__main__':
    main()
