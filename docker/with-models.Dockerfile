# An image that carries its models, for machines without a network. Beside this file's build context put the archive:
#   slimvoice export whisper:base kokoro -o models.tar
#   docker build -f docker/with-models.Dockerfile --build-arg IMAGE=slimvoice:cpu -t slimvoice:with-models FOLDER_OF_ARCHIVE
# A new volume on /data starts as a copy of what is here.
ARG IMAGE=slimvoice:cpu
FROM ${IMAGE} AS imported
ENV SLIMVOICE_HOME=/tmp/imported
RUN --mount=type=bind,source=models.tar,target=/models.tar ["slimvoice", "import", "/models.tar"]

FROM ${IMAGE}
# Copied, because podman and buildah forget what a RUN writes into a volume.
COPY --from=imported --chown=10001:10001 /tmp/imported /data
ENV SLIMVOICE_OFFLINE=true
