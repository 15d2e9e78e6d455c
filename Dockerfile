# One image for the three processing scripts, which are on PATH; `train` is there for TrainingJobs.
#
#   docker build -t mims .                                       on the public Python image
#   docker build -t mims --build-arg BASE=mims-base:bookworm .   on docker/base/build.sh's
#
# No ENTRYPOINT, so that `docker run mims mims_package.py`, `docker run mims train` and a job's
# ContainerEntrypoint all start the program itself as PID 1, which then gets StopProcessingJob's signal.
ARG BASE=python:3.11-slim-bookworm


FROM ${BASE} AS build

# sagemaker-training comes as source with a C extension.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev

# pip trusts what the base trusts, as behind a proxy that has its own certificate authority.
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore

# Nothing at run time needs pip or setuptools.
COPY docker/build-requirements.txt requirements.txt /tmp/
RUN python -m venv /opt/venv && \
    cd /tmp && \
    /opt/venv/bin/pip install --require-hashes --no-deps -r build-requirements.txt && \
    /opt/venv/bin/pip install --require-hashes --no-deps --use-pep517 --no-build-isolation \
      -r requirements.txt && \
    /opt/venv/bin/pip uninstall -y setuptools pip

# A script that `code=` uploads by itself finds `mims` here. PYTHONPATH would do it too, but every Python
# that a job starts would inherit it.
RUN echo /opt/program > \
      "$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/mims.pth"

# Modes and byte code are set here: the image may run read-only and as any user.
COPY scripts /opt/program
RUN chmod -R u=rwX,go=rX /opt/program && \
    chmod 755 /opt/program/*.py && \
    /opt/venv/bin/python -m compileall -q /opt/program


FROM ${BASE}

# Nothing of the image lies under /opt/ml: that is SageMaker's.
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/program /opt/program

ENV PATH=/opt/program:/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

# A job that names no program must fail, not end well in Python's prompt.
CMD []

ARG BASE
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mims" \
      org.opencontainers.image.description="SageMaker processing scripts: package a model, make its sample payloads, register it." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
