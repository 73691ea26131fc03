FROM debian:bookworm-slim
ENTRYPOINT ["dumb-init", "--single-child", "shop"]
