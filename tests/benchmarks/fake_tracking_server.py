"""A tracking server of a few lines, for tests of what measures servers.

It answers the requests that the benchmark sends and keeps what it is told in PostgreSQL and in a
folder. As `forgetful` it acknowledges every third metric without keeping it; as `refusing` it
answers every third one with an error.

    python -m tests.benchmarks.fake_tracking_server PORT DATABASE_PORT DATABASE FOLDER MANNER
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg

from benchmarks.server_comparison.traffic import API, ARTIFACTS
from benchmarks.throwaway_postgres import ThrowawayPostgres

SCHEMA = """
CREATE TABLE experiments (experiment_id serial PRIMARY KEY, name text, artifact_location text,
    lifecycle_stage text, creation_time bigint, last_update_time bigint);
CREATE TABLE runs (run_uuid text PRIMARY KEY, name text, source_type text, source_name text,
    entry_point_name text, user_id text, status text, start_time bigint, end_time bigint,
    source_version text, lifecycle_stage text, artifact_uri text, experiment_id int);
CREATE TABLE metrics (key text, value float, timestamp bigint, step bigint, is_nan bool,
    run_uuid text);
CREATE TABLE latest_metrics (LIKE metrics);
CREATE TABLE params (key text, value text, run_uuid text);
CREATE TABLE tags (LIKE params);
"""

WRITES = (f"{API}/runs/log-metric", f"{API}/runs/log-batch")


def make_schema(cluster: ThrowawayPostgres, database: str) -> None:
    """The tables that the benchmark writes to and counts in."""
    cluster.query(database, SCHEMA)


class Server(ThreadingHTTPServer):
    """Answers on 127.0.0.1."""

    daemon_threads = True

    def __init__(self, port: int, dsn: str, folder: Path, manner: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.dsn, self.folder, self.manner = dsn, folder, manner
        self.count = itertools.count(1)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one piece
    server: Server

    def setup(self) -> None:
        super().setup()
        self.database = psycopg.connect(self.server.dsn, autocommit=True)

    def finish(self) -> None:
        self.database.close()
        super().finish()

    def do_GET(self) -> None:
        if self.path == "/health":
            return self.say(b"OK")
        return self.say((self.server.folder / self.path.removeprefix(ARTIFACTS + "/")).read_bytes())

    def do_PUT(self) -> None:
        path = self.server.folder / self.path.removeprefix(ARTIFACTS + "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.body())
        self.say(b"{}")

    def do_POST(self) -> None:
        asked = json.loads(self.body())
        if self.path == f"{API}/runs/create":
            sql = "INSERT INTO runs (run_uuid, experiment_id) VALUES (%s, %s)"
            self.database.execute(sql, (uuid.uuid4().hex, int(asked["experiment_id"])))
        elif self.path in WRITES:
            third = next(self.server.count) % 3 == 0
            if third and self.server.manner == "refusing":
                return self.say(b"no", 500)
            if not (third and self.server.manner == "forgetful"):
                self.keep(asked)
        else:
            self.database.execute("SELECT count(*) FROM runs")
        return self.say(b"{}")

    def keep(self, asked: dict) -> None:
        rows = [
            (item["key"], item["value"], item["timestamp"], item["step"], asked["run_id"])
            for item in asked.get("metrics", [asked])
        ]
        with self.database.cursor() as cursor:
            cursor.executemany("INSERT INTO metrics VALUES (%s, %s, %s, %s, false, %s)", rows)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def say(self, text: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_words: object) -> None:
        """Nothing."""


def main() -> None:
    port, database_port, database, folder, manner = sys.argv[1:]
    dsn = f"host=127.0.0.1 port={database_port} user=mlflow dbname={database}"
    server = Server(int(port), dsn, Path(folder), manner)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    thread.join()


if __name__ == "__main__":
    main()
