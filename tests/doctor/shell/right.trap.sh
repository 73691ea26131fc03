#!/bin/sh
stop() { kill -TERM "$pid"; }; trap stop TERM
"$@" &
pid=$!
wait "$pid"
wait "$pid"
