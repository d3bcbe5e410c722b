# slimvoice for NVIDIA GPUs, amd64. Build it with scripts/build-image cuda; the driver (580 or newer) is the host's.
ARG BASE=debian:trixie-slim
ARG SOURCE_DATE_EPOCH=0
# `wheel`: keep the libraries of PyAV's wheel
ARG FFMPEG=source
# Machine code for Turing to Blackwell, as in ONNX Runtime's wheel, and PTX for what comes.
ARG CUDA_ARCHITECTURES=75-real;80-real;86-real;89-real;90;120a-real

FROM ${BASE} AS compiler
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        cmake g++ ninja-build patch python3-pip python3-setuptools python3-setuptools-scm python3-wheel > /dev/null

FROM compiler AS whisper-source
COPY docker/steps/whisper.txt /build/
RUN --mount=type=secret,id=pipconf,target=/etc/pip.conf --mount=type=secret,id=ca,target=/run/host-ca.crt \
    cd /build && PYWHISPERCPP_VERSION=1.5.1 SETUPTOOLS_SCM_PRETEND_VERSION=1.5.1 pip download -q --no-deps --no-build-isolation --no-binary :all: --require-hashes -r whisper.txt \
    && tar -xzf pywhispercpp-*.tar.gz && mv pywhispercpp-*/ source

FROM whisper-source AS whisper
COPY docker/steps/whisper docker/steps/whisper-check docker/steps/whisper.patch /build/
ARG JOBS
RUN /build/whisper /build/source /site

FROM compiler AS ggml-cuda
RUN DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends ccache > /dev/null
COPY --from=whisper-source /build/source /build/source
COPY docker/steps/cuda-compiler docker/steps/cuda-compiler.txt /build/
RUN --mount=type=secret,id=pipconf,target=/etc/pip.conf --mount=type=secret,id=ca,target=/run/host-ca.crt \
    /build/cuda-compiler /build/cuda-compiler.txt
COPY docker/steps/cuda-kernels docker/steps/ggml-backend /build/
ARG CUDA_ARCHITECTURES
ARG JOBS
# Without VMM the library does not link the driver, so it loads on a machine that has none.
RUN --mount=type=cache,target=/root/.cache/ccache /build/cuda-kernels /build/source && \
    PATH=/cuda/nvidia/cu13/bin:$PATH /build/ggml-backend cuda /build/source /site -DGGML_CUDA_NO_VMM=ON -DGGML_CUDA_NCCL=OFF \
         "-DCMAKE_CUDA_ARCHITECTURES=$CUDA_ARCHITECTURES" \
        -DCUDAToolkit_ROOT=/cuda/nvidia/cu13 -DCMAKE_CUDA_COMPILER=/cuda/nvidia/cu13/bin/nvcc

FROM compiler AS ffmpeg-source
RUN DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends ca-certificates libmp3lame-dev libopus-dev make nasm pkgconf xz-utils > /dev/null
ARG JOBS
COPY docker/steps/ffmpeg /build/
RUN /build/ffmpeg /libraries

FROM compiler AS ffmpeg-wheel
RUN mkdir /libraries

FROM ffmpeg-${FFMPEG} AS ffmpeg

FROM compiler AS tools
RUN DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends binutils ca-certificates python3-hatchling > /dev/null

FROM tools AS packages
COPY docker/steps/packages docker/steps/cuda-libraries docker/steps/cuda.txt requirements/cuda.lock /build/
RUN --mount=type=secret,id=pipconf,target=/etc/pip.conf --mount=type=secret,id=ca,target=/run/host-ca.crt \
    /build/packages /build/cuda.lock /site && /build/cuda-libraries /build/cuda.txt /site

FROM tools AS app
COPY . /source
RUN cd /source && pip install -q --no-deps --no-build-isolation --no-index --no-compile --no-cache-dir --root-user-action ignore \
        --target /site . && rm -rf /site/bin

FROM tools AS system
COPY docker/steps/system /build/
RUN /build/system /root-fs base-files netbase media-types gcc-14-base libc6 libgcc-s1 libstdc++6 libgomp1 \
        zlib1g libzstd1 libexpat1 libmp3lame0 libopus0 libssl3t64 libffi8 libbz2-1.0 liblzma5 libuuid1 \
        python3.13-minimal libpython3.13-minimal libpython3.13-stdlib python3-pip-whl

FROM tools AS assembled
ARG SOURCE_DATE_EPOCH
COPY --from=system /root-fs /1
COPY --from=packages /site /2/opt/slimvoice/lib/python3.13/site-packages
COPY --from=whisper /site /2/opt/slimvoice/lib/python3.13/site-packages
COPY --from=ggml-cuda /site /2/opt/slimvoice/lib/python3.13/site-packages
COPY --from=ffmpeg /libraries /libraries
COPY --from=app /site /3/opt/slimvoice/lib/python3.13/site-packages
COPY docker/steps/finish docker/steps/graft docker/steps/sbom /build/
RUN /build/graft /libraries /2/opt/slimvoice/lib/python3.13/site-packages && /build/finish /1 /2 /3

FROM scratch AS runtime
COPY --from=assembled /1 /
COPY --from=assembled /2 /
COPY --from=assembled /3 /
ARG VERSION=0.2.0
ARG REVISION=unknown
ARG SOURCE=
LABEL org.opencontainers.image.title=slimvoice \
      org.opencontainers.image.description="Speech to text and text to speech behind the OpenAI Audio API" \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${REVISION} \
      org.opencontainers.image.source=${SOURCE} \
      org.opencontainers.image.licenses="Apache-2.0 AND GPL-3.0-or-later AND LicenseRef-NVIDIA"
ENV PATH=/opt/slimvoice/bin LANG=C.UTF-8 HOME=/data SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    SLIMVOICE_HOME=/data SLIMVOICE_HOST=0.0.0.0 SLIMVOICE_PULL=starters ORT_DISABLE_TELEMETRY=1 HF_HUB_DISABLE_TELEMETRY=1 \
    PYTHONSAFEPATH=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-ISc", "import http.client as h, os, sys; c = h.HTTPConnection('127.0.0.1', int(os.environ.get('SLIMVOICE_PORT', 8000)), timeout=4); c.request('GET', '/health/live'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["slimvoice"]
CMD ["serve"]
