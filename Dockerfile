# A production server: `docker-compose up -d --build`. The data is in the volume /data.

FROM python:3.12-slim-bookworm AS build

# hnswlib has no wheels; compiled for this machine's processor it would stop on an older one.
ENV HNSWLIB_NO_NATIVE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1

# Whatever compiler the base image's release has will do, and it stays in this stage.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*

# Copied whole into the next stage, so both stages have the same interpreter at the same path.
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH

WORKDIR /source
# .dockerignore lets through what the package is built from.
COPY . .
# The versions are those that pyproject.toml allows.
# hadolint ignore=DL3013
RUN pip install ".[server,hnsw,cli]"


FROM python:3.12-slim-bookworm

# One BLAS thread for each search: the server already runs many searches side by side.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OPENBLAS_NUM_THREADS=1

COPY --from=build /opt/venv /opt/venv

# A numeric user, so that an orchestrator can see that it is not root. A new volume takes over the owner of the folder.
RUN install --directory --owner=10001 --group=10001 --mode=0700 /data
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8000

HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/api/v2/heartbeat', timeout=4)"]

# Listening for other machines demands a token: CHROMA_PLUGIN_TOKEN.
CMD ["chroma-plugin", "run", "--path", "/data", "--host", "0.0.0.0", "--port", "8000"]
