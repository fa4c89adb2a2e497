"""How the objects of a store get to Redis: buffer, send queue, pipeline, writer."""
