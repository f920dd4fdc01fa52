"""The KFP components `schema_gen` (from the data) and `schema_importer` (curated, the requirement)."""

from kfp import dsl

from tidegate.components import images
from tidegate.components.artifacts import ExampleStatistics, Schema


@dsl.component(base_image=images.COMPONENTS, install_kfp_package=False)
def schema_gen(statistics: dsl.Input[ExampleStatistics], schema: dsl.Output[Schema], infer_feature_shape: bool = True):
    """Infer the schema that the data fits.

    Args:
        statistics: of all splits.
        schema: schema.pbtxt.
        infer_feature_shape: features with one value in each row get a fixed shape.
    """
    from tidegate.components.schema_gen.work import infer_schema

    found = infer_schema(statistics.path, schema.path, infer_feature_shape)
    schema.metadata["features"] = len(found.feature)
    schema.metadata["curated"] = False


@dsl.component(base_image=images.COMPONENTS, install_kfp_package=False)
def schema_importer(schema_text: str, schema: dsl.Output[Schema], statistics: dsl.Input[ExampleStatistics] = None):
    """Bring in a curated schema: it is the requirement; how the data differs is shown, and judged by example_validator.

    Args:
        schema_text: the schema, in protobuf's text format.
        schema: schema.pbtxt.
        statistics: of the data to compare it with.
    """
    from tidegate.components.schema_gen.files import read_schema
    from tidegate.components.schema_gen.work import import_schema

    found = import_schema(schema_text, schema.path, statistics.path if statistics else None)
    schema.metadata["features"] = len(read_schema(schema.path).feature)
    schema.metadata["curated"] = True
    schema.metadata["differences"] = [str(one) for one in found]
