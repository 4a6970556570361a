"""Names of properties of executions and artifacts, as they stand in the metadata."""

from __future__ import annotations

# Of executions.
CODE_DIGEST = 'code_digest'
LIBRARY_VERSIONS = 'library_versions'  # JSON, by name
CUSTOM_CONFIG = 'custom_config'  # JSON; of Trainer and Tuner
SOURCE_SPEC = 'source_spec'
SOURCE_FINGERPRINT = 'source_fingerprint'
SPLIT_HISTORY = 'split_history'  # a digest of the splits that images of an earlier ingestion keep
EARLIER_RUN = 'earlier_run'  # whose images those at hand are compared with
SPLIT = 'split'  # JSON
FRACTIONS = 'fractions'  # JSON; with the seed what older ingestions have in place of `split`
SEED = 'seed'
MAX_SIDE = 'max_side'
MAX_PIXELS = 'max_pixels'
WEIGHTS_DIGEST = 'weights_digest'
ATTEMPT = 'attempt'  # differs from execution to execution

# Of what nodes with the content store write: of a Quarantine, transformed Examples, Embeddings.
FROM_STORE = 'from_store'  # images that were not computed
STORE_PROBLEM = 'store_problem'  # why nothing more was added; absent if all is well

# Of Examples.
FOLDS = 'folds'  # how many; 0 without

# Of a Quarantine.
SUMMARY = 'summary'

# Of blessings, as TFX writes them; a Report has the first too.
BLESSED = 'blessed'
CURRENT_MODEL_ID = 'current_model_id'
BASELINE_MODEL_ID = 'baseline_model_id'

# Of what was recorded of a model: of an evaluation, exports, a serving record, a PushedModel.
MODEL_DIGEST = 'model_digest'  # over all files; see `model_fingerprint`

# Of what the Exporter and the serving check record.
PLACED = 'placed'
CHECKED = 'checked'
LATENCY_MS = 'latency_ms'
MEMORY_MB = 'memory_mb'
COLD_START = 'cold_start'
PROBLEMS = 'problems'

# Of a PushedModel, as TFX writes it.
PUSHED = 'pushed'
PUSHED_VERSION = 'pushed_version'
PUSHED_DESTINATION = 'pushed_destination'
ALREADY_THERE = 'already_there'  # ours: the version was made by an earlier push

HEADLINE = 'headline'  # of a Report


def accuracy(split: str) -> str:
    """Of a ModelEvaluation."""
    return f'{split}_accuracy'


def lower(split: str) -> str:
    """Lower end of the accuracy's interval."""
    return f'{split}_lower'


def upper(split: str) -> str:
    """Upper end of the accuracy's interval."""
    return f'{split}_upper'


def images(split: str) -> str:
    """How many images of the split were evaluated."""
    return f'{split}_images'


def corrected(split: str) -> str:
    """How many of them have a label that somebody corrected; absent for none."""
    return f'{split}_corrected'
