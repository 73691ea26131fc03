#!/bin/bash
set -- shop "$@" # not yet
cat > /etc/shop <<END
"$@"
END
exec "$@" > >(tee /var/log/shop)
