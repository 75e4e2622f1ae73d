# Hush in containers, see docs/containers.md. Targets: `app` (the last, and so the default) and `gateway`.
#   TORCH_INDEX   PyTorch's index of CPU builds, whose hash the pins hold
#   WHEELS        folder of the build with every wheel; no index is asked then
#   COMMIT        what /version says
# Debian 12, because the hashes of packer/requirements.lock are those of its Python; by tag, so that a build brings
# the security updates of the day.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS python
# hadolint ignore=DL3008
RUN apt-get update -q \
    && DEBIAN_FRONTEND=noninteractive apt-get upgrade -q -y \
    && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 hush \
    && useradd --system --uid 10001 --gid hush --home-dir /nonexistent --shell /usr/sbin/nologin hush \
    && install -d -o hush -g hush -m 0750 /run/hush /var/cache/hush /var/lib/hush

# ---- 1. What changes seldom: the environment from hashed pins, the models with checked hashes ------------------------

FROM python AS dependencies
# hadolint ignore=DL3008
RUN apt-get update -q \
    && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
ARG TORCH_INDEX=""
ARG WHEELS=""
COPY packer/requirements.lock /build/
# Byte code is compiled here: the user of the image may write none later.
RUN python3 -m venv --without-pip /opt/hush/venv \
    && python3 -m venv /build/pip \
    && set -- --require-hashes --no-deps --only-binary :all: --no-cache-dir --disable-pip-version-check \
    && if [ -n "$WHEELS" ]; then set -- "$@" --no-index --find-links "$WHEELS"; fi \
    && if [ -n "$TORCH_INDEX" ]; then set -- "$@" --extra-index-url "$TORCH_INDEX"; fi \
    && /build/pip/bin/pip --python /opt/hush/venv/bin/python install --quiet "$@" -r /build/requirements.lock \
    && /build/pip/bin/pip --python /opt/hush/venv/bin/python check
COPY models /opt/hush/app/models
COPY containers/check_models.py /build/
RUN python3 /build/check_models.py /opt/hush/app/models

# ---- The gateway: nginx with the project's configuration -------------------------------------------------------------

FROM python AS gateway
# hadolint ignore=DL3008
RUN apt-get update -q \
    && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends nginx-light \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o hush -g hush -m 0700 /var/cache/hush-nginx
COPY nginx /opt/hush/app/nginx
COPY containers /opt/hush/app/containers
WORKDIR /opt/hush/app
USER 10001:10001
EXPOSE 8080 8443
# nginx's graceful end: no new connection, requests under way are finished.
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python3", "-m", "containers.healthcheck", "https://127.0.0.1:8443/healthz"]
CMD ["containers/gateway"]

# ---- 2. The application ----------------------------------------------------------------------------------------------

FROM python AS app
COPY --from=dependencies /opt/hush /opt/hush
ENV PATH=/opt/hush/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HUSH_BIND=0.0.0.0:8000 \
    HUSH_MODELS_DIR=/opt/hush/app/models \
    HUSH_SPOOL_DIR=/var/cache/hush \
    HUSH_VERSION_FILE=/opt/hush/version.json
WORKDIR /opt/hush/app
COPY wsgi.py gunicorn_conf.py ./
COPY containers containers
COPY inference inference
COPY api api
ARG COMMIT=unknown
RUN python -m compileall -q . \
    && printf '{"commit": "%s", "built": "%s"}\n' "$COMMIT" "$(date --utc +%Y-%m-%dT%H:%M:%SZ)" >"$HUSH_VERSION_FILE"
USER 10001:10001
EXPOSE 8000
# Ready and not merely alive: whoever starts after this container wants answers.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "containers.healthcheck"]
CMD ["gunicorn", "-c", "gunicorn_conf.py"]
