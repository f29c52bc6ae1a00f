"""One folder a noun: models (what goes over the wire), routes (who may call what), service (rows in, records out)."""
