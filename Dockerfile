# syntax=docker/dockerfile:1
# The image whose containers run nodes: on Kubeflow Pipelines, on Vertex AI, or by hand.
#
#   docker build -t registry.example/thawline:0.1.0 .
#   docker run --rm -v "$PWD/my_project:/work" -w /work registry.example/thawline:0.1.0 run
#
# Exactly the packages of requirements.lock, by their hashes. Debian 13 has glibc 2.41, so nothing is
# rewritten (pipeline/environment/glibc_compat.py is for systems before 2.39).
ARG PYTHON=3.11-slim-trixie

FROM python:${PYTHON} AS build

# Extras of setup.py; without `demo` the image has no images and no weights of its own.
ARG EXTRAS=demo,exports,kfp,serve
ENV UV_COMPILE_BYTECODE=1 \
    UV_HTTP_TIMEOUT=300 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never

WORKDIR /src
COPY requirements.lock ./
# uv itself is the lock's too: its entry, up to the next one, holds version and hashes.
RUN awk '/^[a-zA-Z0-9]/ { on = /^uv==/ } on' requirements.lock > uv.lock.txt \
    && python -m venv /uv \
    && /uv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r uv.lock.txt \
    && python -m venv --without-pip /opt/thawline

COPY setup.py pyproject.toml README.md LICENSE ./
COPY thawline thawline
COPY schemas schemas
COPY components components
COPY pipeline pipeline
# The lock as constraints: versions and hashes of all that the extras need, and of what builds the
# few packages that come as source. Then a look that nothing came which the lock does not name.
RUN /uv/bin/uv pip install --python /opt/thawline/bin/python --constraints requirements.lock \
      --build-constraints requirements.lock --verify-hashes ".[${EXTRAS}]" \
    && sed -n 's/^\([A-Za-z0-9._-]*==[^ ]*\) .*/\1/p' requirements.lock > locked.txt \
    && /uv/bin/uv pip freeze --python /opt/thawline/bin/python > installed.txt \
    && sed -i '/^thawline @/d' installed.txt \
    && ! grep -vxFf locked.txt installed.txt

FROM python:${PYTHON}

LABEL org.opencontainers.image.title="thawline" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/thawline/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    TF_CPP_MIN_LOG_LEVEL=2

# A number, not a name: Kubernetes can check that it is not root. The home is for whatever user the
# cluster chooses: OpenShift gives a random one in group 0.
RUN useradd --uid 10001 --gid 0 --create-home --home-dir /home/thawline thawline \
    && chmod 0775 /home/thawline
ENV HOME=/home/thawline
COPY --from=build /opt/thawline /opt/thawline
USER 10001:0
WORKDIR /home/thawline

ENTRYPOINT ["thawline"]
CMD ["--help"]
