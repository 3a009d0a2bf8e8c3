"""Where the examples find their queue: REDIS_URL, such as redis://:password@localhost:6379/0."""
import os
import urllib.parse

import sergeant


def connector():
    url = urllib.parse.urlsplit(os.environ.get('REDIS_URL', 'redis://127.0.0.1:6379/0'))
    return sergeant.config.Connector(
        type='redis',
        params={
            'nodes': [
                {
                    'host': url.hostname,
                    'port': url.port or 6379,
                    'password': url.password,
                    'database': int(url.path.strip('/') or 0),
                },
            ],
        },
    )
