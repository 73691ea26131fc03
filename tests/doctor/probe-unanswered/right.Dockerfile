FROM debian:bookworm-slim
HEALTHCHECK --interval=5s CMD curl --fail http://localhost:8081/livez
CMD ["shop"]
