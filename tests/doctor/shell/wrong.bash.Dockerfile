FROM debian:bookworm-slim
SHELL ["/bin/bash", "-c"]
COPY <<"END" /etc/shop
CMD none
END
CMD shop --port 8080 | tee /var/log/shop
