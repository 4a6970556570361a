"""TensorFlow Serving's REST interface: the answer to each path, without any HTTP.

GET  /v1/models/NAME[/versions/V]            what is in service
GET  /v1/models/NAME[/versions/V]/metadata   its signatures
POST /v1/models/NAME[/versions/V]:predict    answers
"""

from __future__ import annotations

import json
import re
from typing import Any

from thawline.pipeline.recording.recorder import Recorder, offer_batch
from thawline.pipeline.server import predict_json
from thawline.pipeline.server.limits import RequestLimits
from thawline.pipeline.server.servable import InvalidInput
from thawline.pipeline.server.version_manager import NoSuchVersion, VersionManager

_MODEL = r'(?i:/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d{1,19}))?'
_STATUS = re.compile(_MODEL + r'(?P<metadata>/metadata)?/?)')
_RECORDED = 'serving_bytes'  # the one signature whose inputs are images as they were sent
_PREDICT = re.compile(_MODEL + r':(?P<method>classify|regress|predict))')


class UnknownModel(Exception):
    """No such model or version; the message says which."""


class RestInterface:
    """Answers requests for one model."""

    def __init__(
        self,
        name: str,
        versions: VersionManager,
        limits: RequestLimits,
        recorder: Recorder | None = None,
    ) -> None:
        self._name, self._versions, self._limits = name, versions, limits
        self._recorder = recorder

    def get(self, path: str) -> bytes:
        """Answers a GET.

        Raises:
            BadRequest, UnknownModel, NotReady: see these classes.
        """
        match = _STATUS.fullmatch(path)
        if not match:
            raise predict_json.BadRequest(f'Malformed request: GET {path}')
        version = self._version(match['name'], match['version'])
        document = self._metadata(version) if match['metadata'] else self._status(version)
        return json.dumps(document, indent=1).encode()

    def post(self, path: str, body: bytes | bytearray) -> tuple[bytes, str, int]:
        """Answers a POST; runs the model.

        Returns:
            The answer, the signature that gave it and the number of rows.

        Raises:
            BadRequest, UnknownModel, NotReady, TooLarge: see these classes.
        """
        match = _PREDICT.fullmatch(path)
        if not match:
            raise predict_json.BadRequest(f'Malformed request: POST {path}')
        version = self._version(match['name'], match['version'])
        self._limits.check_values(body)
        if match['method'].lower() != 'predict':
            raise predict_json.BadRequest(
                'Expected a signature for tensorflow/serving/'
                f'{match["method"].lower()}; those of this model are for tensorflow/serving/predict'
            )
        try:
            with self._versions.lease(version) as model:
                request = predict_json.parse_request(body, model.signatures)
                rows = self._limits.check(request.inputs)
                outputs = model.predict(request.signature, request.inputs)
                if self._recorder is not None and request.signature == _RECORDED:
                    (images,) = request.inputs.values()
                    offer_batch(self._recorder, model.version, model.card, images, outputs)
        except NoSuchVersion:
            raise UnknownModel(self._unknown(match['name'], version)) from None
        except InvalidInput as error:
            raise predict_json.BadRequest(str(error)) from None
        return predict_json.encode_outputs(outputs, request.by_row), request.signature, rows

    def _version(self, name: str, version: str | None) -> int | None:
        if name != self._name:
            raise UnknownModel(self._unknown(name, version))
        return None if version is None else int(version)

    def _unknown(self, name: str, version: int | str | None) -> str:
        servable = f'Latest({name})' if version is None else f'Specific({name}, {version})'
        return f'Servable not found for request: {servable}; the model here is {self._name}'

    def _status(self, version: int | None) -> dict[str, Any]:
        states = self._versions.states
        if version is not None and version not in states:
            raise UnknownModel(f'Could not find version {version} of model {self._name}')
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
            with self._versions.lease(version) as model:
                number, signatures = model.version, model.metadata
        except NoSuchVersion:
            raise UnknownModel(self._unknown(self._name, version)) from None
        return {
            'model_spec': {'name': self._name, 'signature_name': '', 'version': str(number)},
            'metadata': {'signature_def': {'signature_def': signatures}},
        }
