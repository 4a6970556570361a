"""The native modules whose wheels ask for glibc 2.39, and their known builds.

All that may change with a new release is here; `glibc_compat` uses it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

REPLACEMENTS: Mapping[str, str] = {
    '__isoc23_strtol': 'strtol',
    '__isoc23_strtoll': 'strtoll',
    '__isoc23_strtoul': 'strtoul',
    '__isoc23_strtoull': 'strtoull',
    '__cxa_call_terminate': '_ZSt9terminatev',
    '_ZSt21ios_base_library_initv': '_ZSt9terminatev',
}
TOO_NEW = frozenset({'GLIBC_2.38', 'GLIBCXX_3.4.32', 'CXXABI_1.3.15'})


@dataclasses.dataclass(frozen=True)
class NativeModule:
    """An extension module, the symbols to replace in it, and its known builds."""

    distribution: str
    version: str
    file: str  # relative to site-packages
    symbols: frozenset[str]
    builds: Mapping[str, str]  # SHA-256 as shipped -> SHA-256 as rewritten


MODULES = (
    NativeModule(
        distribution='ml-metadata',
        version='1.21.0',
        file='ml_metadata/metadata_store/pywrap/metadata_store_extension.so',
        symbols=frozenset({'__cxa_call_terminate', '_ZSt21ios_base_library_initv'}),
        builds={
            # CPython 3.11
            '9817a2524d3cad1b3136e118aea97f24e269767c04d86aaa3be8aa71d8593c9c':
                'dea4d14619cdd4864b7d77b4f51a9fb6fb50a7d2665bb2de59b1a5be5b8cabf7',
            # CPython 3.12
            '29fe5dde36f0f26a3852981bf23af7dc8f686430d021ded6f41ecb31e7da06ea':
                '9cee7abfff7cbb6b46174ea8a7f5873c0cee205811a1c2cb771f443a4d84c88e',
            # CPython 3.13
            '8595fe993edb0dd7afeeff28e83f0257f5b145a38b3c36d2d794939a005f7348':
                '7b9f615332989758a4ca89749c0077326a3e379ccedb66213b4ab8ddd5bd7bbe',
        },
    ),
    NativeModule(
        distribution='tensorflow-data-validation',
        version='1.21.0',
        file='tensorflow_data_validation/pywrap/tensorflow_data_validation_extension.so',
        symbols=frozenset(REPLACEMENTS) - {'__cxa_call_terminate'},
        builds={
            # CPython 3.11
            '9d167827edb20f0c9219f196cc882265f1d2ceb8eb71f3d7ce3f2a0cd1be56a7':
                'e2cf8e9dbacd83390bb8320081b50f0104dc83c4ef6d9286cb75e3c6397d0e9d',
            # CPython 3.12
            '82995ecc292461d53f935dc55af3441a46c382bed0f36e580b31ae22159936d9':
                'cd02f51dfb3a673e8c053a3295cfd727f79ef3a68fbf3f70a899199d4bc1982a',
            # CPython 3.13
            '1d98fa0b6c0e9c54ee70174d193bc5f9c46d3390ab0e74adbb8d398ae321893a':
                'aee1dab7561ab3ceff3b5f8457364995959fab3e624d4b8b85de1ded19377885',
        },
    ),
)  # fmt: skip
