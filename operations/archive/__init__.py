"""What a backup is, apart from the commands that make and use one.

A backup is a folder at its destination (a path, `s3://…`, `gs://…`), named after the stack and the
time: a dump of the database, the artifacts in packs of about 1 GiB, the manifest, and the seal.
Everything but the seal is encrypted with age; the seal is written last, so that what was
interrupted never looks complete.

`stores` reaches artifacts and destinations, `encryption` and `packs` turn artifacts into what lies
there, `manifest` ties it together, `seal` says that it is whole. `snapshot` and `postgres_tools`
read and write the database.
"""
