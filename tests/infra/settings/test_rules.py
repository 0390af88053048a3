"""Every cross-field rule: what it refuses, in which words, and what it lets through."""

from __future__ import annotations

import pytest

from infra.settings_rules import ALL_RULES
from infra.settings_rules_cloud import CLOUD_RULES
from tests.infra.settings.loading import load, problems

EXTERNAL = "postgresql://mlflow@db.example/mlflow"
AWS = {"target": "aws"}
PROD = {
    **AWS,
    "environment": "prod",
    "natGateways": "per-zone",
    "alarmEmails": '["oncall@example.com"]',
    "databaseInstanceClass": "db.m7g.xlarge",
}
INGRESS = {
    "target": "aws",
    "ingressClassName": "nginx",
    "ingressHosts": '["mlflow.example.com"]',
    "ingressTlsSecret": "mlflow-tls",
}

REFUSED: dict[str, list[tuple[dict[str, str], str]]] = {
    "environment_makes_valid_names": [
        ({"environment": "Prod_1"}, "environment: is 'Prod_1'; names are made of it"),
        (
            {"environment": "a" * 21},
            "environment: is 'aaaaaaaaaaaaaaaaaaaaa'; names are made of it",
        ),
    ],
    "host_is_an_address": [
        (
            {"serverHost": "http://127.0.0.1"},
            "serverHost: is 'http://127.0.0.1'; write the address",
        ),
        ({"serverHost": "127.0.0.1:5000"}, "serverHost: is '127.0.0.1:5000'; write the address"),
        ({"serverHost": ""}, "serverHost: is ''; write the address of an interface"),
    ],
    "static_prefix_is_a_path": [
        (
            {"serverStaticPrefix": "mlflow"},
            "serverStaticPrefix: is 'mlflow'; it begins with a slash",
        ),
        ({"serverStaticPrefix": "/mlflow/"}, "serverStaticPrefix: is '/mlflow/'; it begins with"),
        ({"serverStaticPrefix": "/a//b"}, "serverStaticPrefix: is '/a//b'; it begins with a slash"),
        ({"serverStaticPrefix": "/a?b"}, "serverStaticPrefix: is '/a?b'; it begins with a slash"),
    ],
    "tracking_uri_reaches_the_server": [
        ({"trackingUri": "./mlruns"}, "trackingUri: is './mlruns'; write http://host:port"),
        ({"trackingUri": "http://h:port"}, "trackingUri: is no address; write http://host:port"),
        (
            {"trackingUri": "http://me:hush@h:5000"},
            "trackingUri: holds a user name or password; leave them out",
        ),
        (
            {"trackingUri": "http://h:5000/mlflow"},
            "trackingUri: has the path '/mlflow' and mlflow-platform:serverStaticPrefix is ''",
        ),
        ({"trackingUri": "http://h:5000?a=b"}, "trackingUri: is 'http://h:5000?a=b'; leave out"),
    ],
    "somebody_is_answered": [
        (
            {"serverHost": "0.0.0.0"},
            "serverHost: is 0.0.0.0, so other machines can connect, but the server answers 403",
        ),
    ],
    "hosts_are_names": [
        ({"allowedHosts": '["http://h"]'}, "allowedHosts: has 'http://h'; write host names"),
        ({"corsAllowedOrigins": '["h"]'}, "corsAllowedOrigins: has 'h'; write origins with their"),
        ({"corsAllowedOrigins": '["http://h/a"]'}, "corsAllowedOrigins: has 'http://h/a'; write"),
    ],
    "ports_differ": [
        ({"serverPort": "5432"}, "databasePort: is 5432, the same as mlflow-platform:serverPort"),
    ],
    "sqlite_stays_on_one_machine": [
        (
            {"backendStoreUri": "sqlite:///a.db", "target": "aws"},
            "backendStoreUri: is a sqlite file and mlflow-platform:target is aws",
        ),
        (
            {"backendStoreUri": "sqlite:///a.db", "serverWorkers": "2"},
            "serverWorkers: is 2 and the backend store is a sqlite file, which has one writer",
        ),
        (
            {"backendStoreUri": "sqlite:///:memory:"},
            "backendStoreUri: is sqlite:///:memory:, a database in the memory of one process",
        ),
        (
            {"backendStoreUri": "sqlite:///a.db", "databaseMaxConnections": "200"},
            "databaseMaxConnections: is set and the backend store is a sqlite file",
        ),
    ],
    "external_database_has_its_own_name": [
        (
            {"backendStoreUri": EXTERNAL, "databaseName": "other"},
            "databaseName: is set and mlflow-platform:backendStoreUri names the database already",
        ),
        (
            {"backendStoreUri": EXTERNAL, "localPostgresBinDir": "/usr/lib/postgresql/16/bin"},
            "localPostgresBinDir: is set and mlflow-platform:backendStoreUri names a database that",
        ),
    ],
    "database_names_are_identifiers": [
        ({"databaseName": "My-Runs"}, "databaseName: is 'My-Runs'; write a lower-case letter"),
        ({"databaseUser": "postgres"}, "databaseUser: is 'postgres', which is PostgreSQL's own"),
        ({"databaseName": "template1"}, "databaseName: is 'template1', which is PostgreSQL's own"),
    ],
    "registry_store_is_a_database": [
        (
            {"registryStoreUri": "mysql://h/d"},
            "registryStoreUri: begins with 'mysql'; supported are postgresql://",
        ),
        (
            {"registryStoreUri": "postgresql://me:hush@h/d"},
            "registryStoreUri: holds a password, and the server gets it as an argument",
        ),
        (
            {"registryStoreUri": "postgresql://me@h/d?password=hush"},
            "registryStoreUri: has the parameter 'password'; only sslmode is taken from it",
        ),
        (
            {"registryStoreUri": "sqlite:///r.db"},
            "registryStoreUri: is sqlite:///r.db, a path from wherever the server runs",
        ),
        (
            {"registryStoreUri": "postgresql://mlflow@127.0.0.1:5432/registry"},
            "registryStoreUri: names 127.0.0.1:5432 and the user mlflow, which are not those of",
        ),
        (
            {"registryStoreUri": "postgresql://me@db.example/d", "backendStoreUri": EXTERNAL},
            "registryStoreUri: names db.example:5432 and the user me, which are not those of",
        ),
        (
            {"registryStoreUri": "sqlite:///r.db", "target": "gcp"},
            "registryStoreUri: is a sqlite file and mlflow-platform:target is gcp",
        ),
    ],
    "artifact_store_suits_the_target": [
        ({"artifactStore": "azure://c/p"}, "artifactStore: is 'azure://c/p'; supported are s3://"),
        ({"artifactStore": "file:///srv"}, "artifactStore: is 'file:///srv'; write the folder"),
        ({"artifactStore": "s3:///p"}, "artifactStore: is 's3:///p', which names no bucket"),
        (
            {"artifactStore": "gs://b"},
            (
                "artifactStore: is 'gs://b' and mlflow-platform:target is local: the server there "
                "reaches s3:// or a folder only"
            ),
        ),
        (
            {"artifactStore": "gs://b", "target": "aws"},
            (
                "artifactStore: is 'gs://b' and mlflow-platform:target is aws: the server there "
                "reaches s3:// only"
            ),
        ),
        (
            {"artifactStore": "./artifacts", "target": "gcp"},
            (
                "artifactStore: is './artifacts' and mlflow-platform:target is gcp: the server "
                "there reaches gs:// only"
            ),
        ),
    ],
    "unserved_artifacts_are_within_reach": [
        (
            {"serveArtifacts": "false", "serverHost": "10.0.0.7"},
            "serveArtifacts: is false, artifacts are kept in a folder of this machine",
        ),
    ],
    "experiments_have_names": [
        ({"experimentName": " "}, "experimentName: is empty; write a name, such as"),
        ({"defaultExperiment": ""}, "defaultExperiment: is empty; write a name, such as Default"),
    ],
    "local_settings_are_for_this_machine": [
        ({"serverReplicas": "2"}, "serverReplicas: is 2; on one machine one server runs"),
        ({"localStateDir": "."}, "localStateDir: is '.'; name a folder of its own"),
        ({"localStateDir": "/"}, "localStateDir: is '/'; name a folder of its own"),
        (
            {"localServiceUser": "me", "target": "aws"},
            "localServiceUser: is set and mlflow-platform:target is aws: remove it",
        ),
    ],
    "nothing_is_said_of_authentication_that_is_off": [
        (
            {"authAdminPassword": "correct horse battery"},
            "authAdminPassword: is set and mlflow-platform:authentication is off",
        ),
        (
            {"authAdminUsername": "root"},
            "authAdminUsername: is set and mlflow-platform:authentication is off",
        ),
    ],
    "each_side_outwaits_the_next": [
        (
            {"serverQueryTimeoutSeconds": "300"},
            "serverQueryTimeoutSeconds: is 300 and clientReadTimeoutSeconds is 300: clients would",
        ),
        ({"slowQueryMs": "30000"}, "slowQueryMs: is 30000 and serverQueryTimeoutSeconds is 30"),
        (
            {"slowResponseMs": "300000"},
            "slowResponseMs: is 300000 and clientReadTimeoutSeconds is 300",
        ),
    ],
    "metrics_have_a_way_out": [
        (
            {"collectionIntervalSeconds": "30"},
            "collectionIntervalSeconds: is 30 and mlflow-platform:target is local: the platform",
        ),
        ({"datadogEnabled": "true"}, "datadogEnabled: is true and mlflow-platform:target is local"),
        (
            {"datadogEnabled": "true", "prometheusEnabled": "false", "target": "aws"},
            "datadogEnabled: is true and prometheusEnabled is false",
        ),
        ({"cloudwatchEnabled": "true"}, "cloudwatchEnabled: is true and mlflow-platform:target is"),
    ],
    "server_has_the_memory_it_starts_with": [
        (
            {"serverMemoryMib": "300", "target": "aws"},
            "serverMemoryMib: is 300 and 2 workers need 448 to start",
        ),
    ],
    "shape_is_asked_of_somebody": [
        ({"serverCpus": "3"}, "serverCpus: is set and mlflow-platform:target is local"),
        ({"serverMemoryMib": "4096"}, "serverMemoryMib: is set and mlflow-platform:target is"),
    ],
    "server_ends_before_it_is_killed": [
        (
            {"target": "gcp", "serverGraceSeconds": "10"},
            "serverGraceSeconds: is 10 and serverDrainSeconds is 0, together 10: Cloud Run kills",
        ),
    ],
    "request_timeout_is_settable": [
        (
            {"serverRequestTimeoutSeconds": "60", "serverKind": kind},
            "serverRequestTimeoutSeconds: is 60 and mlflow-platform:target is local, where no load",
        )
        for kind in ("uvicorn", "gunicorn")
    ],
    "pool_timeout_is_settable": [
        ({"poolTimeoutSeconds": "10"}, "poolTimeoutSeconds: is 10; MLflow has no switch for it"),
    ],
    "pre_ping_is_settable": [
        ({"poolPrePing": "false"}, "poolPrePing: is false; MLflow always tests a connection"),
    ],
    "registry_is_settable": [
        ({"registryEnabled": "false"}, "registryEnabled: is false; MLflow's server always serves"),
    ],
    "client_timeouts_are_settable": [
        (
            {"clientWriteTimeoutSeconds": "60"},
            "clientWriteTimeoutSeconds: is 60 and clientReadTimeoutSeconds is 300",
        ),
    ],
    "circuit_breaker_is_settable": [
        (
            {"circuitBreakerEnabled": "false"},
            "circuitBreakerEnabled: is false; the client library always stops calling a server",
        ),
    ],
    "admin_password_is_accepted": [
        (
            {"authAdminPassword": "too short", "authentication": "basic"},
            "authAdminPassword: has 9 characters or is MLflow's old default",
        ),
        (
            {"authAdminPassword": "password1234", "authentication": "basic"},
            "authAdminPassword: has 12 characters or is MLflow's old default",
        ),
    ],
    "jobs_need_uvicorn": [
        (
            {"serverJobExecution": "true", "serverKind": "gunicorn"},
            "serverJobExecution: is true and mlflow-platform:serverKind is gunicorn",
        ),
    ],
    "pool_serves_every_request": [
        (
            {"poolSize": "10", "poolMaxOverflow": "19"},
            "poolMaxOverflow: gives a worker 10 + 19 = 29",
        ),
    ],
    "pools_fit_the_database": [
        (
            {"databaseMaxConnections": "60", "serverWorkers": "2"},
            "databaseMaxConnections: does not",
        ),
    ],
    "kubernetes_settings_are_for_kubernetes": [
        (
            {"hpaCpuPercent": "50"},
            "hpaCpuPercent: is set and mlflow-platform:target is local, where no Kubernetes runs",
        ),
        (
            {"target": "gcp", "hpaCpuPercent": "50"},
            "hpaCpuPercent: is set and mlflow-platform:target is gcp, where no Kubernetes runs",
        ),
    ],
    "fewest_servers_are_not_more_than_most": [
        (
            {
                **AWS,
                "serverReplicas": "2",
                "serverReplicasMinimum": "3",
                "databaseInstanceClass": "db.m7g.large",
            },
            "serverReplicasMinimum: is 3 and mlflow-platform:serverReplicas, the most servers, is",
        ),
    ],
    "production_survives_the_loss_of_a_server": [
        (
            {**PROD, "serverReplicas": "2"},
            "serverReplicasMinimum: is 1 in production; a drained node would take the only server",
        ),
    ],
    "ingress_is_whole_or_absent": [
        (
            {**AWS, "ingressHosts": '["mlflow.example.com"]'},
            "ingressHosts: is set and mlflow-platform:ingressClassName is not",
        ),
        (
            {**AWS, "ingressClassName": "nginx", "ingressTlsSecret": "tls"},
            "ingressHosts: is empty and mlflow-platform:ingressClassName is set",
        ),
        (
            {**AWS, "ingressClassName": "nginx", "ingressHosts": '["mlflow.example.com"]'},
            "ingressTlsSecret: is empty and mlflow-platform:ingressClassName is set; passwords",
        ),
    ],
    "names_are_kubernetes_names": [
        (
            {**AWS, "networkPolicyNamespaces": '["Team_A"]'},
            "networkPolicyNamespaces: has 'Team_A'; a namespace's name has",
        ),
        ({**AWS, "secretStoreName": "My Store"}, "secretStoreName: is 'My Store'; an object's"),
        (
            {**INGRESS, "ingressHosts": '["*.example.com"]'},
            "ingressHosts: has '*.example.com'; write whole host names",
        ),
        (
            {**INGRESS, "ingressHosts": '["mlflow.example.com:443"]'},
            "ingressHosts: has 'mlflow.example.com:443'; write whole host names",
        ),
    ],
    "retention_has_a_schedule": [
        (
            {**AWS, "retentionDays": "7"},
            "retentionDays: is set and mlflow-platform:retentionSchedule is empty, so nothing is",
        ),
        (
            {**AWS, "retentionSchedule": "daily"},
            "retentionSchedule: is 'daily'; write cron's five fields in figures",
        ),
        ({**AWS, "retentionSchedule": "0 25 * * *"}, "retentionSchedule: is '0 25 * * *'; write"),
        ({**AWS, "retentionSchedule": "*/0 * * * *"}, "retentionSchedule: is '*/0 * * * *'; write"),
    ],
}

CASES = [(rule, values, words) for rule, cases in REFUSED.items() for values, words in cases]


class TestRules:
    """Each rule refuses what it is about, alone and in its own words."""

    @pytest.mark.parametrize(("rule", "values", "words"), CASES)
    def test_refused(self, rule: str, values: dict[str, str], words: str) -> None:
        del rule
        found = problems(**values)
        assert len(found) == 1, found
        assert found[0].startswith(f"mlflow-platform:{words}"), found[0]

    def test_every_rule_is_tried(self) -> None:
        of_clouds = {rule.__name__ for rule in CLOUD_RULES}  # test_rules_cloud tries them
        assert set(REFUSED) == {rule.__name__ for rule in ALL_RULES} - of_clouds

    @pytest.mark.parametrize(("rule", "values", "words"), CASES)
    def test_no_message_shows_a_password(
        self, rule: str, values: dict[str, str], words: str
    ) -> None:
        del rule, words
        for line in problems(**values):
            assert "hush" not in line
            assert "horse" not in line
            assert "too short" not in line


class TestLetThrough:
    """What looks similar and works is not refused."""

    @pytest.mark.parametrize(
        "values",
        [
            {"serverStaticPrefix": "/mlflow", "trackingUri": "http://h:5000/mlflow/"},
            {"serverHost": "0.0.0.0", "allowedHosts": '["mlflow.team.internal"]'},
            {"serverHost": "0.0.0.0", "trackingUri": "http://mlflow.team.internal:5000"},
            {"serverHost": "::1"},
            {"corsAllowedOrigins": '["https://app.example.com:8443", "*"]'},
            {"serverPort": "5432", "backendStoreUri": EXTERNAL},
            {"serverPort": "5432", "backendStoreUri": "sqlite:///a.db"},
            {"serveArtifacts": "false", "serverHost": "10.0.0.7", "artifactStore": "s3://b/p"},
            {
                "registryStoreUri": "postgresql://mlflow@db.example/registry",
                "backendStoreUri": EXTERNAL,
            },
            {"registryStoreUri": "sqlite:////srv/registry.db"},
            {"authAdminUsername": "root", "authentication": "basic"},
            {"cloudwatchEnabled": "true", "target": "aws"},
            {"serverRequestTimeoutSeconds": "60", "target": "aws"},
            {"clientWriteTimeoutSeconds": "60", "clientReadTimeoutSeconds": "60"},
            {"serverReplicas": "3", "target": "gcp"},
            INGRESS,
            {**AWS, "retentionSchedule": "*/15 0-6,12 1 * 1-5", "retentionDays": "7"},
            {**PROD, "serverReplicas": "3", "serverReplicasMinimum": "3"},
        ],
    )
    def test_loads(self, values: dict[str, str]) -> None:
        assert problems(**values) == []

    def test_a_tracking_uri_loses_its_last_slash(self) -> None:
        assert load(trackingUri="http://h:5000/").server.tracking_uri == "http://h:5000"
