"""What may be asked and what is answered, as pydantic models; the OpenAPI description is made of them.

embeddings  /v1/embeddings and /v1/models, in OpenAI's shape
judging     classify, rank, similarity
searching   search and the photos that it finds
library     what is in the library, and what comes of changing it
"""
