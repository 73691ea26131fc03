FROM debian:bookworm-slim
ENTRYPOINT ["dumb-init", "shop"]
