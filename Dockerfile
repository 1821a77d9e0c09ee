# One image for both Vaults and the connector; the command says which.
ARG BASE_IMAGE=python:3.13-slim
FROM ${BASE_IMAGE}

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /app
COPY requirements/base.txt requirements/base.txt
RUN python -m pip install --require-hashes -r requirements/base.txt
COPY shared shared
COPY services services
COPY local local
COPY LICENSE ./
# The system of files is read-only: what is not compiled here would be compiled by each start.
RUN python -m compileall -q shared services local

RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin app \
 && install -d -o app -m 0700 /var/lib/vault /var/lib/tls
USER app
EXPOSE 8080
STOPSIGNAL SIGTERM
CMD ["python", "-m", "services.connector"]
