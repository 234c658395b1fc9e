# The whole service on one machine: docs/deployment.md#a-container.
FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements.txt requirements-build.txt ./
RUN python -m venv /opt/darkroom \
 && /opt/darkroom/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt \
 && python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-build.txt
COPY pyproject.toml setup.py MANIFEST.in README.md LICENSE ./
COPY shared shared
COPY functions functions
COPY models models
RUN python -m pip wheel --no-cache-dir --no-index --no-deps --no-build-isolation -w /build/wheel . \
 && /opt/darkroom/bin/pip install --no-cache-dir --no-index --no-deps /build/wheel/*.whl

FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home --home-dir /data darkroom && install -d -o darkroom -g darkroom /data
COPY --from=build /opt/darkroom /opt/darkroom
ENV PATH=/opt/darkroom/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DARKROOM_HOME=/data \
    DARKROOM_MODELS=/data/models
WORKDIR /data
VOLUME /data
USER 10001
EXPOSE 8080
# `darkroom up` ends on SIGTERM when the requests in flight are finished.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/health', timeout=8)"]
ENTRYPOINT ["darkroom"]
CMD ["up", "--host", "0.0.0.0", "--port", "8080"]
