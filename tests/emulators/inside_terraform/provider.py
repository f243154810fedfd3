"""A provider for Terraform that knows a schema, and does nothing: what it has is there to be checked or mocked.

Run by the Python of `.emulators/`, by Terraform: `provider.py SCHEMA.json`, a file of `provider_schema.schema`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

from tf.gen import tfplugin_pb2
from tf.runner import run_provider
from tf.schema import Attribute, Block, NestedBlock, Schema

NESTING = tfplugin_pb2.Schema.NestedBlock.NestingMode
MODES = {"list": NESTING.LIST, "set": NESTING.SET, "struct": NESTING.SINGLE}


class AsIs:
    """Values that nobody here looks into."""

    def encode(self, value: Any) -> Any:
        """Return the value."""
        return value

    def decode(self, value: Any) -> Any:
        """Return the value."""
        return value

    def semantically_equal(self, one: Any, other: Any) -> bool:
        """Say whether two values are equal."""
        return bool(one == other)


class KnownType(AsIs):
    """A type in Terraform's own way of writing."""

    def __init__(self, written: Any) -> None:
        self.written = written

    def tf_type(self) -> bytes:
        """Return it as Terraform wants it."""
        return json.dumps(self.written).encode()


class KnownBlock(AsIs, NestedBlock):  # type: ignore[misc] # the library has no types here
    """A block in a block, of any mode (the library knows sets only)."""

    def __init__(self, name: str, known: dict[str, Any]) -> None:
        self.type_name = name
        self.block = _block(known["block"])
        self.known = known

    def to_pb(self) -> Any:
        """Return it as Terraform wants it."""
        known = self.known
        return tfplugin_pb2.Schema.NestedBlock(
            type_name=self.type_name,
            block=self.block.to_pb(),
            nesting=MODES[known["mode"]],
            # A single block has no numbers in Terraform's protocol.
            min_items=0 if known["mode"] == "struct" else known["min"],
            max_items=known["max"],
        )


def _block(known: dict[str, Any]) -> Block:
    attributes = [
        Attribute(name, KnownType(each["type"]), **{key: each[key] for key in ("required", "optional", "computed")})
        for name, each in known["attributes"].items()
    ]
    return Block(attributes, [KnownBlock(name, each) for name, each in known["blocks"].items()])


def _schema(known: dict[str, Any]) -> Schema:
    block = _block(known)
    return Schema(attributes=block.attributes, block_types=block.block_types)


def _kind(name: str, known: dict[str, Any]) -> type:
    """Return the class of a resource or data source."""
    schema = _schema(known)
    read_only = [key for key, each in known["attributes"].items() if not (each["required"] or each["optional"])]

    class Known:
        def __init__(self, provider: Any) -> None: ...

        @classmethod
        def get_name(cls) -> str:
            return name.removeprefix("aws_")

        @classmethod
        def get_schema(cls) -> Schema:
            return schema

        def validate(self, problems: Any, _name: str, config: dict[str, Any]) -> None:
            for attribute in read_only:
                if config.get(attribute) is not None:
                    problems.add_error("Value for unconfigurable attribute", attribute, [attribute])

        def read(self, *_: Any) -> NoReturn:
            raise NotImplementedError(f"{name}: this provider knows schemas only")

        create = update = delete = plan = read

    return Known


class KnownProvider:
    """The provider."""

    def __init__(self, known: dict[str, Any]) -> None:
        self.own = _schema(known["provider"])
        self.resources = [_kind(name, each) for name, each in known["resources"].items()]
        self.data = [_kind(name, each) for name, each in known["data"].items()]

    def full_name(self) -> str:
        """Return the provider's address."""
        return "registry.terraform.io/hashicorp/aws"

    def get_model_prefix(self) -> str:
        """Return what the name of every resource begins with."""
        return "aws_"

    def get_provider_schema(self, _problems: Any) -> Schema:
        """Return the schema of the provider's own settings."""
        return self.own

    def validate_config(self, _problems: Any, _config: Any) -> None:
        """Take any settings that fit the schema."""

    configure_provider = validate_config

    def get_resources(self) -> list[type]:
        """Return the resources."""
        return self.resources

    def get_data_sources(self) -> list[type]:
        """Return the data sources."""
        return self.data

    def get_functions(self) -> list[type]:
        """Return none."""
        return []

    def new_resource(self, kind: type) -> Any:
        """Return a resource of a kind."""
        return kind(self)

    new_data_source = new_resource


if __name__ == "__main__":
    run_provider(KnownProvider(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), sys.argv[:1])
