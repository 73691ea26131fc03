#!/bin/sh
# exec is not enough
exec "$@" | tee /var/log/shop
