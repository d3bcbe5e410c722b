# An image that carries its models, for machines without a network. Beside this file's build context put the archive:
#   slimvoice export whisper:base kokoro -o models.tar
#   docker build -f docker/with-models.Dockerfile --build-arg IMAGE=slimvoice:cpu -t slimvoice:with-models FOLDER_OF_ARCHIVE
# A new volume on /data starts as a copy of what is here.
ARG IMAGE=slimvoice:cpu
FROM ${IMAGE}
RUN --mount=type=bind,source=models.tar,target=/models.tar ["slimvoice", "import", "/models.tar"]
ENV SLIMVOICE_OFFLINE=true
