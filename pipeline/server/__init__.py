"""A small HTTP server for one model, with the REST interface of TensorFlow Serving, and its page.

Read from the bottom up: `versions` finds models, `servable` runs one, `hosting` changes it for a
newer one, `predict_json` and `limits` are the interface's rules as pure functions, `app` joins
them, `running` is the process. `tensorflow_serving` starts the real one instead.
"""
