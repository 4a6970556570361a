"""A small HTTP server for one model: TensorFlow Serving's REST interface, and a page to try it.

Read from the bottom up: `servable` runs one version, `version_manager` replaces it by a newer one,
`predict_json` and `limits` are the interface's rules as pure functions, `app` joins them,
`python_server` is the process. `tensorflow_serving` starts the original instead.
"""
