#!/bin/sh
trap 'kill -TERM "$pid"' TERM
"$@"
