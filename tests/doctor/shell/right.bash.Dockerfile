FROM debian:bookworm-slim AS base
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
CMD shop --port 8080
FROM base
COPY shop /usr/bin/
