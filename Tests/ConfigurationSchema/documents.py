"""YAML documents as sergeantcg reads them, and as an editor does."""
import re

import jsonschema
import yaml


class AsWritten(yaml.SafeLoader):
    """All scalars are texts, but the plain words for nothing: what Sources/SergeantCG/Configuration/YAML.swift does."""


class AsInAnEditor(yaml.SafeLoader):
    """YAML 1.2's core schema, which the YAML language server reads by."""


NOTHING = re.compile(r'^(?:~|null|Null|NULL|)$')
CORE = (
    ('bool', re.compile(r'^(?:true|True|TRUE|false|False|FALSE)$'), 'tTfF'),
    ('int', re.compile(r'^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$'), '-+0123456789'),
    ('float', re.compile(r'^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|'
                         r'[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$'), '-+0123456789.'),
)


def whole_number(loader, node):
    text = loader.construct_scalar(node)
    return int(text[2:], 8 if text[1] == 'o' else 16) if text.startswith(('0o', '0x')) else int(text)


def map_by_texts(loader, node):
    """An object of JSON: its names are texts, whatever stands there."""
    return {loader.construct_scalar(key): loader.construct_object(value, deep=True) for key, value in node.value}


for loader in (AsWritten, AsInAnEditor):
    loader.yaml_implicit_resolvers = {}
    loader.add_implicit_resolver('tag:yaml.org,2002:null', NOTHING, ['~', 'n', 'N', ''])
    loader.add_constructor('tag:yaml.org,2002:map', map_by_texts)
for kind, expression, first in CORE:
    AsInAnEditor.add_implicit_resolver(f'tag:yaml.org,2002:{kind}', expression, list(first))
AsInAnEditor.add_constructor('tag:yaml.org,2002:int', whole_number)


def pattern(validator, expression, instance, schema):
    """As ECMA-262 has it: `$` is the end, and not also before a last line end."""
    del schema
    if validator.is_type(instance, 'string') and not re.search(re.sub(r'\$(?=\)|$)', r'\\Z', expression), instance):
        yield jsonschema.ValidationError(f'{instance!r} does not match {expression!r}')


Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {'pattern': pattern})
