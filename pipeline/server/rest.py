"""TensorFlow Serving's REST interface: which answer each path gets. Knows nothing of the web.

What there is:

GET  /v1/models/NAME[/versions/V]            what is in service
GET  /v1/models/NAME[/versions/V]/metadata   its signatures
POST /v1/models/NAME[/versions/V]:predict    answers
"""

from __future__ import annotations

import json
import re
from typing import Any

from thawline.pipeline.server import predict_json
from thawline.pipeline.server.limits import Limits
from thawline.pipeline.server.servable import Refused
from thawline.pipeline.server.version_manager import Hosting, NoSuchVersion

_MODEL = r'(?i:/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d{1,19}))?'
_STATUS = re.compile(_MODEL + r'(?P<metadata>/metadata)?/?)')
_PREDICT = re.compile(_MODEL + r':(?P<method>classify|regress|predict))')


class NotFound(Exception):
    """There is no such model or version; the message says which."""


class Rest:
    """The interface to one model under one name."""

    def __init__(self, name: str, hosting: Hosting, limits: Limits) -> None:
        self._name, self._hosting, self._limits = name, hosting, limits

    def get(self, path: str) -> bytes:
        """Answers a GET.

        Raises:
            BadRequest, NotFound, NotReady: as they say.
        """
        found = _STATUS.fullmatch(path)
        if not found:
            raise predict_json.BadRequest(f'Malformed request: GET {path}')
        version = self._version(found['name'], found['version'])
        document = self._metadata(version) if found['metadata'] else self._status(version)
        return json.dumps(document, indent=1).encode()

    def post(self, path: str, body: bytes) -> tuple[bytes, str, int]:
        """Answers a POST; runs the model.

        Returns:
            The answer, the signature that gave it and the number of rows.

        Raises:
            BadRequest, NotFound, NotReady, TooLarge: as they say.
        """
        found = _PREDICT.fullmatch(path)
        if not found:
            raise predict_json.BadRequest(f'Malformed request: POST {path}')
        version = self._version(found['name'], found['version'])
        if found['method'].lower() != 'predict':
            raise predict_json.BadRequest(
                'Expected a signature for tensorflow/serving/'
                f'{found["method"].lower()}; those of this model are for tensorflow/serving/predict'
            )
        try:
            with self._hosting.lease(version) as model:
                asked = predict_json.parse(body, model.signatures)
                rows = self._limits.check(asked.inputs)
                outputs = model.predict(asked.signature, asked.inputs)
        except NoSuchVersion:
            raise NotFound(self._unknown(found['name'], version)) from None
        except Refused as error:
            raise predict_json.BadRequest(str(error)) from None
        return predict_json.answer(outputs, asked.by_row), asked.signature, rows

    def _version(self, name: str, version: str | None) -> int | None:
        if name != self._name:
            raise NotFound(self._unknown(name, version))
        return None if version is None else int(version)

    def _unknown(self, name: str, version: int | str | None) -> str:
        wanted = f'Latest({name})' if version is None else f'Specific({name}, {version})'
        return f'Servable not found for request: {wanted}; the model here is {self._name}'

    def _status(self, version: int | None) -> dict[str, Any]:
        states = self._hosting.states
        if version is not None and version not in states:
            raise NotFound(f'Could not find version {version} of model {self._name}')
        return {
            'model_version_status': [
                {
                    'version': str(number),
                    'state': state,
                    'status': {'error_code': 'OK', 'error_message': ''},
                }
                for number, state in sorted(states.items(), reverse=True)
                if version in (None, number)
            ]
        }

    def _metadata(self, version: int | None) -> dict[str, Any]:
        try:
            with self._hosting.lease(version) as model:
                number, signatures = model.version, model.metadata
        except NoSuchVersion:
            raise NotFound(self._unknown(self._name, version)) from None
        return {
            'model_spec': {'name': self._name, 'signature_name': '', 'version': str(number)},
            'metadata': {'signature_def': {'signature_def': signatures}},
        }
