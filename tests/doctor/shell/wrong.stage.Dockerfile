FROM debian:bookworm-slim AS base
CMD shop --port 8080
FROM base
COPY shop /usr/bin/
