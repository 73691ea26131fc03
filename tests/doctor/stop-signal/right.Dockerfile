FROM debian:bookworm-slim
STOPSIGNAL SIGINT
CMD ["shop"]
