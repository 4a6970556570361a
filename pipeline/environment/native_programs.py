"""The shortest program that proves that a native library loads, for each library.

A full import of TensorFlow or TFX takes 10 to 35 s; these programs take half a second together.
Each is Python source, then its arguments.
"""

from __future__ import annotations

from collections.abc import Mapping

# Without the Python package around the extension: importing that costs seconds.
_LOAD_EXTENSION = """
import importlib.metadata, importlib.util, pathlib, sys
path = str(importlib.metadata.distribution(sys.argv[1]).locate_file(sys.argv[2]))
spec = importlib.util.spec_from_file_location(pathlib.Path(path).stem, path)
spec.loader.exec_module(importlib.util.module_from_spec(spec))
"""
_OPEN_STORE = """
import ml_metadata
from ml_metadata.proto import metadata_store_pb2
config = metadata_store_pb2.ConnectionConfig()
config.fake_database.SetInParent()
ml_metadata.MetadataStore(config).get_artifact_types()
"""
_LOAD_TENSORFLOW = """
import ctypes, importlib.metadata, os
locate = importlib.metadata.distribution('tensorflow').locate_file
for name in ('libtensorflow_framework.so.2', 'libtensorflow_cc.so.2'):
    ctypes.CDLL(str(locate('tensorflow/' + name)), os.RTLD_NOW)
"""
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    'TensorFlow': (_LOAD_TENSORFLOW,),
    'ML Metadata': (_OPEN_STORE,),
    'TensorFlow Data Validation': (
        _LOAD_EXTENSION,
        'tensorflow-data-validation',
        'tensorflow_data_validation/pywrap/tensorflow_data_validation_extension.so',
    ),
    'TFX basic shared libraries': (
        _LOAD_EXTENSION,
        'tfx-bsl',
        'tfx_bsl/cc/tfx_bsl_extension.so',
    ),
}
