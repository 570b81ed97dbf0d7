# Gateway, relay and every worker: all of LinkNER but the local model. No torch in here.
FROM python:3.11-slim AS build
WORKDIR /build
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY linkner linkner
COPY broker broker
COPY workers workers
COPY trainer trainer
RUN python -m venv /opt/linkner \
    && /opt/linkner/bin/pip install --no-cache-dir --constraint requirements.lock ".[workers]"

FROM python:3.11-slim
COPY --from=build /opt/linkner /opt/linkner
RUN useradd --system --uid 10001 --create-home linkner
USER linkner
ENV PATH=/opt/linkner/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["linkner"]
