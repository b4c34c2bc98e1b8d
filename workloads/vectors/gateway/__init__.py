"""The gateway of `VectorCollection`s: the Pinecone data plane in front of Milvus.

`operations` reads requests, `records` turns vectors into rows and back, `indexes` and `answers` are the shapes of
Pinecone's answers, all without I/O; `engines` knows which Milvus holds what, `store` asks it, `namespaces` is the list
of them; `app` is the routes.
"""
