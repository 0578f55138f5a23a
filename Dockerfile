# The task API, and the migration Job of the same release. `make image` builds it; no step has a network, and the wheels
# come, checked by their hashes, from the folder that it fills; more.txt there is what the image of the load generator
# has besides. Without a registry it names a base made here (BASE).
ARG BASE=python:3.11-slim-bookworm
ARG BUILDER=python:3.11-bookworm

FROM ${BUILDER} AS install
# pip is run out of its own wheel and setuptools is removed, so neither is in the image. Bytecode that is not tied to
# file times stays valid when times are rewritten, and a read-only root could not be given it later.
RUN --mount=type=bind,source=.local/image/wheels,target=/wheels \
    --mount=type=bind,source=locks/app.txt,target=/app.txt \
    python3 -m venv --without-pip /opt/venv \
    && PYTHONPATH="$(echo /wheels/pip-*.whl)" && export PYTHONPATH PYTHONHASHSEED=0 CFLAGS=-g0 \
    && install="/opt/venv/bin/python3 -m pip install --no-cache-dir --no-compile --disable-pip-version-check --no-index" \
    && $install --find-links /wheels --require-hashes -r /wheels/build.txt \
    && $install --find-links /wheels --require-hashes --no-build-isolation -r /app.txt -r /wheels/more.txt \
    && /opt/venv/bin/python3 -m pip uninstall -q -y pip setuptools \
    && python3 -m compileall -q -j 1 --invalidation-mode unchecked-hash /opt/venv
COPY slo/ /srv/slo/
COPY loadtest/ /srv/loadtest/
COPY app/ /srv/app/
# Rights and empty folders depend on the clone; what runs must not.
RUN chmod -R a+rX,go-w /srv \
    && find /srv -depth -type d -empty -delete \
    && PYTHONHASHSEED=0 python3 -m compileall -q -j 1 --invalidation-mode unchecked-hash /srv

FROM ${BASE}
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /srv
COPY --from=install /opt/venv /opt/venv
COPY --from=install /srv /srv
# By number: Kubernetes can tell that it is not root, and no name is needed. Nothing of the image is writable for it.
USER 10001:10001
EXPOSE 8080 9090
# No HEALTHCHECK: Kubernetes ignores it and asks the admin port (helm/task-api.yaml), and one that needs no curl would
# start a second Python every few seconds.
# Exec form: gunicorn is process 1 and gets the signals. Its settings (keep-alive 75 s, ...) are app/gunicorn_conf.py.
CMD ["python3", "-m", "gunicorn", "--config", "app/gunicorn_conf.py"]

ARG TITLE=task-api
ARG VERSION=dev
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG SOURCE=primetrade
ARG BASE
ENV APP_VERSION=${VERSION}
LABEL org.opencontainers.image.title="${TITLE}" \
      org.opencontainers.image.description="The task service of Primetrade.ai" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${BASE}"
