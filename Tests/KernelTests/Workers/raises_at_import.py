"""A worker's module that cannot be imported."""
raise Exception('some exception at import')
