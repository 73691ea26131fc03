FROM debian:bookworm-slim
STOPSIGNAL SIGKILL
CMD ["shop"]
