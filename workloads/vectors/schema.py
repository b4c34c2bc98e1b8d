"""Making a collection in Milvus, and telling whether one that is there is the one that is declared."""

from typing import Any

from pymilvus import AsyncMilvusClient, CollectionSchema, DataType, MilvusClient
from pymilvus.milvus_client.index import IndexParams

from workloads.vectors import layout
from workloads.vectors.config import Collection

TYPES = {
    "string": {"datatype": DataType.VARCHAR, "max_length": layout.MAX_STRING},
    "int": {"datatype": DataType.INT64},
    "float": {"datatype": DataType.DOUBLE},
    "bool": {"datatype": DataType.INT8},
    "stringList": {
        "datatype": DataType.ARRAY,
        "element_type": DataType.VARCHAR,
        "max_capacity": layout.MAX_LIST,
        "max_length": layout.MAX_STRING,
    },
}
"""By a declared field's type, its column."""
SCALAR_INDEXES = {"string": "Trie", "int": "STL_SORT", "float": "STL_SORT"}
"""By a declared field's type, its index. Milvus 2.3 indexes no list, and two values need none."""


def schema_of(collection: Collection) -> CollectionSchema:
    """Its columns."""
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False, description=collection.schema)
    keys = 2 * layout.MAX_ID + 8
    schema.add_field(layout.PK, DataType.VARCHAR, is_primary=True, max_length=keys)
    schema.add_field(layout.NAMESPACE, DataType.VARCHAR, max_length=layout.MAX_ID)
    schema.add_field(layout.ID, DataType.VARCHAR, max_length=layout.MAX_ID)
    schema.add_field(layout.VECTOR, DataType.FLOAT_VECTOR, dim=collection.dimension)
    for field in collection.fields:
        schema.add_field(layout.column(field.name), **TYPES[field.type])
    schema.add_field(layout.METADATA, DataType.JSON)
    return schema


def indexes_of(collection: Collection) -> IndexParams:
    """Its indexes: the graph, and one for each declared field that has an order."""
    params = MilvusClient.prepare_index_params()
    graph = {"M": collection.m, "efConstruction": collection.ef_construction}
    metric = layout.METRICS[collection.metric]
    params.add_index(layout.VECTOR, index_type="HNSW", metric_type=metric, params=graph)
    for field in collection.fields:
        if field.type in SCALAR_INDEXES:
            params.add_index(layout.column(field.name), index_type=SCALAR_INDEXES[field.type])
    return params


async def ensure(client: AsyncMilvusClient, collection: Collection) -> str:
    """Make what is missing of a collection and load it; '' or in what the one that is there differs.

    Each step looks before it acts, so a call that was cut off is gone on from by the next. Raises MilvusException.
    """
    name, alias = layout.generation(collection.name), layout.alias(collection.name)
    if not await client.has_collection(name):
        await client.create_collection(name, schema=schema_of(collection), consistency_level="Bounded")
    elif differs := _difference(await client.describe_collection(name), collection):
        return differs
    there = set(await client.list_partitions(name))
    for partition in layout.PARTITIONS:
        if partition not in there:
            await client.create_partition(name, partition)
    wanted = indexes_of(collection)
    there = set(await client.list_indexes(name))
    if missing := [index for index in wanted if index.index_name not in there and index.field_name not in there]:
        params = IndexParams()
        params.extend(missing)
        await client.create_index(name, params)
    await client.load_collection(name)
    if alias not in await client.list_aliases(name):
        await client.create_alias(name, alias)
    return ""


async def ensure_registry(client: AsyncMilvusClient) -> None:
    """Make and load the list of namespaces. Raises MilvusException."""
    if not await client.has_collection(layout.REGISTRY):
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field(layout.PK, DataType.VARCHAR, is_primary=True, max_length=2 * layout.MAX_ID)
        schema.add_field("collection", DataType.VARCHAR, max_length=layout.MAX_ID)
        schema.add_field(layout.NAMESPACE, DataType.VARCHAR, max_length=layout.MAX_ID)
        schema.add_field(layout.VECTOR, DataType.FLOAT_VECTOR, dim=2)  # Milvus wants one in each collection
        await client.create_collection(layout.REGISTRY, schema=schema, consistency_level="Strong")
    if layout.VECTOR not in await client.list_indexes(layout.REGISTRY):
        params = MilvusClient.prepare_index_params()
        params.add_index(layout.VECTOR, index_type="FLAT", metric_type="L2")
        await client.create_index(layout.REGISTRY, params)
    await client.load_collection(layout.REGISTRY)


def _difference(found: dict[str, Any], collection: Collection) -> str:
    """In what the collection that is there is another than the declared one, '' if in nothing."""
    if found.get("description") == collection.schema:
        return ""
    columns = {str(field["name"]): field for field in found["fields"]}
    dimension = int(columns.get(layout.VECTOR, {}).get("params", {}).get("dim", 0))
    fields = sorted(name.removeprefix("f_") for name in columns if name.startswith("f_"))
    return (
        f"the collection {layout.generation(collection.name)} that is there has dimension {dimension} and the fields"
        f" {', '.join(fields) or 'none'}, or another metric or graph than this one; give the object another name, or"
        " declare it as it was"
    )
