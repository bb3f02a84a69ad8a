# The images of operator and runner, chosen by target:
#
#   docker build --target operator --tag councilor-operator .
#   docker build --target runner --tag councilor-runner .
#
# `hack/images/build` does the same on machines with or without Docker, and names the images after what is in them.
#
# The final images hold an interpreter, the locked dependencies of their half and the project, all compiled: they start
# fast with a read-only root, as any user, and can install nothing. Stages:
#
#   python -> tools -> dependencies of each half -----------------.
#                 `--> application (the project alone) ------------+-> operator, runner
#   python -> stripped -> runtime (without what installs things) -'
#
# Dependencies come before sources, so a changed source rebuilds only the small layer on top, and needs no network.

# Python 3.11 with `venv` and ca-certificates, and the build's only image from elsewhere.
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm


# ---------------------------------------------------------------- what builds
FROM ${PYTHON_IMAGE} AS tools
ARG UV_VERSION=0.13.9
# The certificates of a machine that reaches PyPI through an inspecting proxy come as the secret `certificates`, which
# lies over this file while a step runs and is in no layer. Both tools are told to trust the file, not a list of theirs.
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_COMPILE=1 \
    PIP_ROOT_USER_ACTION=ignore \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    UV_LINK_MODE=copy \
    UV_NO_MANAGED_PYTHON=1 \
    UV_NO_PROGRESS=1 \
    UV_PROJECT_ENVIRONMENT=/opt/venv \
    UV_SYSTEM_CERTS=1
WORKDIR /build
COPY pyproject.toml ./
# uv installs what uv.lock says; the build back end is the one pyproject.toml pins. Without pip's own isolation the
# project is later built from what is installed here.
RUN --mount=type=secret,id=certificates,target=/etc/ssl/certs/ca-certificates.crt \
    python3 -m venv /opt/tools \
 && /opt/tools/bin/pip install --quiet uv==${UV_VERSION} \
    $(python3 -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"])')
# Without pip in it, and made by the base image's own Python: the path of the interpreter it links to holds in the
# final images, wherever the base keeps it.
RUN python3 -m venv --without-pip /opt/venv
COPY uv.lock ./

FROM tools AS operator-dependencies
RUN --mount=type=secret,id=certificates,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=cache,id=councilor-uv,target=/root/.cache/uv \
    /opt/tools/bin/uv sync --frozen --no-dev --extra operator --no-install-project
# The official client's API classes, two generated sets, are 77 MB with bytecode and loaded on first use of their names.
# Nobody uses them: the operator takes connections and credentials from kubernetes.aio and knows its few paths itself
# (tests/unit/test_images.py keeps that so); kopf takes the configuration and two models. The import is the proof.
RUN rm -r /opt/venv/lib/python3*/site-packages/kubernetes/client/api \
    /opt/venv/lib/python3*/site-packages/kubernetes/aio/client/api \
 && /opt/venv/bin/python -B -c 'import kopf, kubernetes.config, kubernetes.aio.client, kubernetes.aio.config, pymongo, yaml'
# Unchecked bytecode is valid whatever becomes of the sources' times in a layer.
RUN rm -f /opt/venv/.lock \
 && find /opt/venv/lib -type d -name tests -prune -exec rm -r {} + \
 && python3 -m compileall -q -f -j 0 --invalidation-mode unchecked-hash /opt/venv/lib

FROM tools AS runner-dependencies
RUN --mount=type=secret,id=certificates,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=cache,id=councilor-uv,target=/root/.cache/uv \
    /opt/tools/bin/uv sync --frozen --no-dev --extra runner --no-install-project
# Apprise and what it brings along are 24 MB with bytecode: one module for each of 180 services, all of which it loads,
# so none can be left out. That it still makes one is the proof.
RUN rm -f /opt/venv/.lock \
 && find /opt/venv/lib -type d -name tests -prune -exec rm -r {} + \
 && /opt/venv/bin/python -B -c 'from apprise import Apprise; assert Apprise.instantiate("json://localhost")' \
 && python3 -m compileall -q -f -j 0 --invalidation-mode unchecked-hash /opt/venv/lib

# An environment with nothing but the project, which the final stages lay over the dependencies.
FROM tools AS application
COPY LICENSE ./
COPY operator operator
COPY runner runner
# The package's metadata wants a README; an empty one keeps images the same when only words change. For the same reason
# pip installs it and not uv, which notes the time of the wheel.
RUN : > README.md \
 && /opt/tools/bin/hatchling build -t wheel -d /tmp/wheel \
 && /opt/tools/bin/pip --python /opt/venv/bin/python install --quiet --no-index --find-links=/tmp/wheel --no-deps \
    councilor-operator \
 && python3 -m compileall -q -f --invalidation-mode unchecked-hash /opt/venv/lib


# ---------------------------------------------------------------- what runs
FROM ${PYTHON_IMAGE} AS stripped
# Out goes what installs, lets a user become another one, or is only looked at by developers; the rest of the standard library is compiled (the official
# Python image ships it without bytecode, Debian with bytecode that is only valid while its times are). apt's own folders
# belong to whoever made the base: root on one machine, _apt on the next.
RUN library=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))') \
 && packages=$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
 && find "$library" -type d \( -name test -o -name tests \) -prune -exec rm -r {} + \
 && rm -rf "$library/ensurepip" "$library/idlelib" "$library/tkinter" "$library/turtledemo" \
    "$packages"/pip "$packages"/pip-* "$packages"/setuptools "$packages"/setuptools-* "$packages"/pkg_resources \
    "$packages"/_distutils_hack "$packages"/distutils-precedence.pth "$packages"/wheel "$packages"/wheel-* \
    /usr/local/bin/pip* /usr/local/bin/wheel /usr/local/bin/idle* /usr/share/python-wheels /var/cache/apt /var/lib/apt \
 && python3 -m compileall -q -f -j 0 --invalidation-mode unchecked-hash "$library" \
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
 && echo 'nonroot:x:65532:65532:nonroot:/nonexistent:/usr/sbin/nologin' >> /etc/passwd \
 && echo 'nonroot:x:65532:' >> /etc/group

# One layer without what was removed above; both images share it.
FROM scratch AS runtime
COPY --from=stripped / /
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /

FROM runtime AS operator
COPY --from=operator-dependencies /opt/venv /opt/venv
COPY --from=application /opt/venv /opt/venv
ENTRYPOINT ["councilor-operator"]
CMD ["run"]
ARG VERSION
ARG REVISION
ARG INPUTS
# buildah takes a label from its cache although the argument in it changed; a command with these arguments it repeats.
RUN : "${VERSION} ${REVISION} ${INPUTS}"
LABEL org.opencontainers.image.title="councilor-operator" \
      org.opencontainers.image.description="Compiles Councilors into CronJobs and reports on their runs" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      community.conductor.inputs="${INPUTS}"

FROM runtime AS runner
COPY --from=runner-dependencies /opt/venv /opt/venv
COPY --from=application /opt/venv /opt/venv
ENTRYPOINT ["councilor-runner"]
CMD ["run"]
ARG VERSION
ARG REVISION
ARG INPUTS
# buildah takes a label from its cache although the argument in it changed; a command with these arguments it repeats.
RUN : "${VERSION} ${REVISION} ${INPUTS}"
LABEL org.opencontainers.image.title="councilor-runner" \
      org.opencontainers.image.description="Runs one execution of a Councilor and judges what the agent answers" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      community.conductor.inputs="${INPUTS}"
