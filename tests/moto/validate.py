"""Holds JSON documents against a schema of docs/schemas, and says in what they differ.

More strictly than consumers do: what the schema does not name is a difference here, so that nothing is printed that is not documented.
"""

import json
import pathlib
import sys

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

COMBINED = ("oneOf", "anyOf", "allOf")


def strict(schema, combined=False):
    """The schema, by which no object has fields that it does not name."""
    if not isinstance(schema, dict):
        return schema
    out = dict(schema)
    for key, value in schema.items():
        if key in COMBINED:
            out[key] = [strict(part, True) for part in value]
        elif key in ("properties", "$defs"):
            out[key] = {name: strict(part) for name, part in value.items()}
        elif key in ("items", "additionalProperties"):
            out[key] = strict(value)
    named = "properties" in out or any("properties" in part for key in COMBINED for part in out.get(key, []))
    if named and not combined:
        out["unevaluatedProperties"] = False
    return out


def main(directory, name, documents):
    schemas = {}
    for path in pathlib.Path(directory).glob("*.schema.json"):
        schema = json.loads(path.read_text())
        if schema["$schema"] == "https://json-schema.org/draft/2020-12/schema":
            Draft202012Validator.check_schema(schema)
            schemas[path.name] = strict(schema)
    resources = [(file, DRAFT202012.create_resource(schema)) for file, schema in schemas.items()]
    registry = Registry().with_resources(resources)
    validator = Draft202012Validator(
        {"$ref": f"{name}.schema.json"}, registry=registry, format_checker=FormatChecker()
    )
    found = []
    for document in json.loads(pathlib.Path(documents).read_text()):
        for error in validator.iter_errors(document):
            causes = [f"{cause.json_path}: {cause.message[:300]}" for cause in error.context]
            found.append(f"{error.json_path}: {error.message[:300]} {causes[:20]}")
    print(json.dumps(found))


main(*sys.argv[1:])
