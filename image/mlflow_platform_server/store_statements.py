"""The SQL of a tracking write in one statement: what it checks, what it writes, in which order.

Owns the text. A statement either does everything that was asked or nothing, and says which in its
one row: `accepted` is the run when it is there, active and in the workspace, and when no parameter
already has another value. Everything else is for MLflow's own store to answer, in its own words.

The order in which rows are written is MLflow's, so that the two stores never lock each other
against it: metrics, then the latest metrics by key.
"""

from __future__ import annotations

from functools import lru_cache

_SCOPE = {
    False: "",
    True: """
         AND experiment_id IN
             (SELECT experiment_id FROM experiments WHERE workspace = %(workspace)s)""",
}

_RUN = """
WITH run AS MATERIALIZED (
  SELECT run_uuid, experiment_id FROM runs
   WHERE run_uuid = %(run_id)s AND lifecycle_stage = 'active'{scope}
)"""

_ACCEPTED = """,
accepted AS MATERIALIZED (SELECT run_uuid, experiment_id FROM run)"""

_ACCEPTED_WITH_PARAMS = """,
given AS MATERIALIZED (
  SELECT * FROM unnest(%(param_keys)s::text[], %(param_values)s::text[])
    WITH ORDINALITY AS given (key, value, place)
),
known AS MATERIALIZED (
  SELECT params.key, params.value <> given.value AS differs
    FROM params JOIN given ON params.key = given.key
   WHERE params.run_uuid = %(run_id)s
),
accepted AS MATERIALIZED (
  SELECT run_uuid, experiment_id FROM run WHERE NOT EXISTS (SELECT FROM known WHERE differs)
)"""

# Without ON CONFLICT: a parameter that somebody else writes at this moment ends the statement, and
# MLflow's store then compares the values.
_PARAMS = """,
params_written AS (
  INSERT INTO params (run_uuid, key, value)
  SELECT accepted.run_uuid, given.key, given.value
    FROM accepted, given
   WHERE NOT EXISTS (SELECT FROM known WHERE known.key = given.key)
   ORDER BY given.place
)"""

# `latest` counts the rows of `logged` in order to run after it.
_METRICS = """,
measured AS MATERIALIZED (
  SELECT * FROM unnest(%(keys)b::text[], %(values)b::float8[], %(timestamps)b::int8[],
                       %(steps)b::int8[], %(nans)b::bool[], %(newest)b::bool[])
    WITH ORDINALITY AS measured (key, value, "timestamp", step, is_nan, newest, place)
),
logged AS (
  INSERT INTO metrics (run_uuid, key, value, "timestamp", step, is_nan)
  SELECT accepted.run_uuid, key, value, "timestamp", step, is_nan
    FROM accepted, measured
   ORDER BY place
  ON CONFLICT DO NOTHING
  RETURNING 1
),
latest AS (
  INSERT INTO latest_metrics AS latest (run_uuid, key, value, "timestamp", step, is_nan)
  SELECT accepted.run_uuid, key, value, "timestamp", step, is_nan
    FROM accepted, measured
   WHERE newest AND (SELECT count(*) FROM logged) >= 0
   ORDER BY key
  ON CONFLICT (key, run_uuid) DO UPDATE
     SET value = excluded.value, "timestamp" = excluded."timestamp", step = excluded.step,
         is_nan = excluded.is_nan
   WHERE (excluded.step, excluded."timestamp", excluded.value)
         > (latest.step, latest."timestamp", latest.value)
)"""

# Without ON CONFLICT: one model has one value per metric, timestamp, step and run, and MLflow's
# store tells the same value from another.
_MODEL_METRICS = """,
model_metrics AS (
  INSERT INTO logged_model_metrics (model_id, metric_name, metric_timestamp_ms, metric_step,
                                    metric_value, experiment_id, run_id, dataset_name,
                                    dataset_digest)
  SELECT model_id, name, "timestamp", step, value, experiment_id, run_uuid, dataset_name,
         dataset_digest
    FROM accepted, unnest(%(model_ids)s::text[], %(model_keys)s::text[],
                          %(model_timestamps)b::int8[], %(model_steps)b::int8[],
                          %(model_values)b::float8[], %(dataset_names)s::text[],
                          %(dataset_digests)s::text[])
         AS measured_model (model_id, name, "timestamp", step, value, dataset_name, dataset_digest)
)"""

_TAGS = """,
tagged AS (
  INSERT INTO tags (run_uuid, key, value)
  SELECT accepted.run_uuid, tag.key, tag.value
    FROM accepted, unnest(%(tag_keys)s::text[], %(tag_values)s::text[])
         WITH ORDINALITY AS tag (key, value, place)
   ORDER BY tag.place
  ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value
   WHERE tags.value IS DISTINCT FROM excluded.value
)"""

_ANSWER = """
SELECT count(*) FROM accepted"""


@lru_cache
def log_statement(
    *, params: bool, metrics: bool, model_metrics: bool, tags: bool, workspace: bool
) -> str:
    """Write what a run logs, when the run takes it; the row says how many runs did (0 or 1)."""
    parts = (
        _RUN.format(scope=_SCOPE[workspace]),
        _ACCEPTED_WITH_PARAMS + _PARAMS if params else _ACCEPTED,
        _METRICS if metrics else "",
        _MODEL_METRICS if model_metrics else "",
        _TAGS if tags else "",
        _ANSWER,
    )
    return "".join(parts)


@lru_cache
def artifact_location_statement(*, workspace: bool) -> str:
    """Where an experiment keeps its artifacts."""
    return f"""
SELECT artifact_location FROM experiments
 WHERE experiment_id = %(experiment_id)s{_of_workspace(workspace)}"""  # noqa: S608 - our own text


@lru_cache
def create_run_statement(*, workspace: bool) -> str:
    """Create a run where the experiment is active and keeps its artifacts where we think."""
    return f"""
WITH experiment AS MATERIALIZED (
  SELECT experiment_id FROM experiments
   WHERE experiment_id = %(experiment_id)s AND lifecycle_stage = 'active'
         AND artifact_location = %(artifact_location)s{_of_workspace(workspace)}
),
created AS (
  INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status,
                    start_time, source_version, lifecycle_stage, artifact_uri, experiment_id)
  SELECT %(run_id)s, %(name)s, 'UNKNOWN', '', '', %(user_id)s, 'RUNNING', %(start_time)s::int8, '',
         'active', %(artifact_uri)s, experiment_id
    FROM experiment
  RETURNING run_uuid
),
tagged AS (
  INSERT INTO tags (run_uuid, key, value)
  SELECT run_uuid, tag.key, tag.value
    FROM created, unnest(%(tag_keys)s::text[], %(tag_values)s::text[])
         WITH ORDINALITY AS tag (key, value, place)
   ORDER BY tag.place
)
SELECT count(*) FROM experiment"""  # noqa: S608 - our own text


@lru_cache
def update_run_statement(*, workspace: bool) -> str:
    """Change what is given of a run, its name together with the tag that repeats it."""
    return f"""
WITH run AS (
  UPDATE runs
     SET status = coalesce(%(status)s, status), end_time = coalesce(%(end_time)s::int8, end_time),
         name = coalesce(%(name)s, name)
   WHERE run_uuid = %(run_id)s AND lifecycle_stage = 'active'
         AND start_time IS NOT NULL AND user_id IS NOT NULL{_SCOPE[workspace]}
  RETURNING run_uuid, name, experiment_id, user_id, status, start_time, end_time, lifecycle_stage,
            artifact_uri
),
tagged AS (
  INSERT INTO tags (run_uuid, key, value)
  SELECT run_uuid, 'mlflow.runName', name FROM run WHERE %(name)s::text IS NOT NULL
  ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value
   WHERE tags.value IS DISTINCT FROM excluded.value
)
SELECT run.*, (SELECT value FROM tags
                WHERE tags.run_uuid = run.run_uuid AND tags.key = 'mlflow.runName') AS name_tag
  FROM run"""  # noqa: S608 - our own text


def _of_workspace(workspace: bool) -> str:
    return " AND workspace = %(workspace)s" if workspace else ""
