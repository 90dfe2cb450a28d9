# The image of a machine that runs waves or serves the pages: also that of "asco kubernetes --image".
# Packages at the versions and hashes of the lock, without those for development; no shell tool is needed at run time.
FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /opt/asco && pip install --no-cache-dir "uv==0.13.*"
COPY pyproject.toml requirements.lock README.md LICENSE ./
RUN uv pip install --python /opt/asco/bin/python --no-cache --require-hashes --compile-bytecode \
    --requirements pyproject.toml --extra encryption --extra celery --extra kubernetes --constraints requirements.lock
COPY workspace.yaml ./
COPY asco_dagster asco_dagster
COPY dbt_project dbt_project
COPY expectations expectations
RUN uv pip install --python /opt/asco/bin/python --no-cache --no-deps --compile-bytecode .

FROM python:3.12-slim
RUN useradd --uid 10001 --create-home --home-dir /home/asco asco \
    && install --directory --owner=asco --group=asco --mode=755 /var/lib/asco
COPY --from=build /opt/asco /opt/asco
ENV PATH=/opt/asco/bin:$PATH \
    ASCO_HOME=/var/lib/asco \
    DAGSTER_DISABLE_TELEMETRY=1
USER 10001
WORKDIR /home/asco
VOLUME /var/lib/asco
EXPOSE 3000 3001
ENTRYPOINT ["asco"]
CMD ["up", "--host", "0.0.0.0"]
