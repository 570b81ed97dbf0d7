# The recognition service: the local model behind HTTP, on Ray Serve. The image of training and evaluation too.
# PIP_EXTRA_INDEX_URL may name an index with CPU builds of torch; the usual build brings CUDA along.
FROM python:3.11-slim AS build
ARG PIP_EXTRA_INDEX_URL=
WORKDIR /build
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY linkner linkner
COPY broker broker
COPY workers workers
COPY trainer trainer
RUN python -m venv /opt/linkner \
    && /opt/linkner/bin/pip install --no-cache-dir --constraint requirements.lock ".[trainer]"

FROM python:3.11-slim
COPY --from=build /opt/linkner /opt/linkner
RUN useradd --system --uid 10001 --create-home linkner
USER linkner
ENV PATH=/opt/linkner/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["linkner"]
