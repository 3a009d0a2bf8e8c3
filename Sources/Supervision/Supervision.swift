// pure
