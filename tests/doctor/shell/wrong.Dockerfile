FROM debian:bookworm-slim
COPY shop /usr/bin/
CMD shop --port 8080
