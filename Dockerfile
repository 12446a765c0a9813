# advisor in a container, with what renting needs: ssh, rsync, git.
#
#   docker build -t advisor .
#   docker run --rm advisor rank resnet50
#   docker run --rm -it -e VAST_API_KEY -v advisor-data:/data -v "$PWD:/work" advisor doctor

FROM python:3.13-slim-trixie AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.13-slim-trixie
# Versions are those of the release of Debian that the tag names: it keeps no others.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git openssh-client rsync \
    && rm -rf /var/lib/apt/lists/*
# Of uid 1000, as the first user of most systems: it may write what is mounted at /work.
RUN useradd --uid 1000 --user-group --create-home advisor \
    && install --directory --owner=advisor --group=advisor --mode=0700 /data \
    && install --directory --owner=advisor --group=advisor /work
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir /wheels/*.whl

# The ledger of rentals and advisor's ssh key outlive the container.
ENV ADVISOR_DATA_DIR=/data \
    ADVISOR_CACHE_DIR=/data/cache \
    PYTHONUTF8=1
VOLUME /data
USER 1000:1000
WORKDIR /work
ENTRYPOINT ["advisor"]
CMD ["--help"]
