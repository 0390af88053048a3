"""S3 and who may use it: the bucket, its policy, the server's role, the key.

Owns the look at documents and settings. That the server really reads and writes is asked of the
server itself (`server.artifacts`): this says why it cannot.
"""

from __future__ import annotations

from typing import Any

from operations.doctor import iam_documents
from operations.doctor.aws_account import asking_aws, client, error_code
from operations.doctor.check import Answer, Check, NotRun, failed, passed
from operations.doctor.patient import Patient

OBJECT_ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")
DEPLOY = "Deploy the stack again (`make up`), which puts it back; CloudTrail says who changed it."


def _bucket_name(patient: Patient) -> str:
    found = patient.outputs.artifact_bucket
    if not found:
        raise NotRun(f"artifacts are in {patient.outputs.artifact_root}, no bucket of this stack")
    return found


def bucket(patient: Patient) -> Answer:
    """Is the bucket there, private, versioned and encrypted with the stack's key?"""
    from botocore.exceptions import ClientError

    name, s3 = _bucket_name(patient), client(patient, "s3")
    with asking_aws(patient):
        try:
            s3.head_bucket(Bucket=name)
        except ClientError as error:
            return _no_bucket(name, error_code(error))
        wrong = [*_not_private(s3, name), *_not_versioned(patient, s3, name)]
        wrong += _not_encrypted(patient, s3, name)
    if wrong:
        return failed(
            f"{name}: {'; '.join(wrong)}",
            cause="the bucket's settings were changed outside of the stack",
            next_step=DEPLOY,
        )
    return passed(f"{name} is there, private, versioned as set, encrypted with the stack's key")


def _no_bucket(name: str, code: str) -> Answer:
    if code in ("404", "NoSuchBucket"):
        return failed(
            f"S3 knows no bucket {name}",
            cause="the bucket was deleted, with every artifact in it",
            next_step="Deploy the stack again for an empty one, then restore the artifacts "
            "(docs/runbooks/backup.md).",
        )
    if code in ("403", "AccessDenied"):
        return failed(
            f"S3 denies us {name}",
            cause="the bucket's policy denies us, or our own role may not see it",
            next_step="See aws.bucket_policy; ask again as somebody who may.",
        )
    raise NotRun(f"S3 answers {code} for {name}")


def _not_private(s3: Any, name: str) -> list[str]:
    from botocore.exceptions import ClientError

    try:
        block = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    except ClientError as error:
        if error_code(error) != "NoSuchPublicAccessBlockConfiguration":
            raise
        return ["public access is not blocked"]
    return [] if all(block.values()) else ["public access is not wholly blocked"]


def _not_versioned(patient: Patient, s3: Any, name: str) -> list[str]:
    if not patient.settings.cloud.artifact_noncurrent_version_days:
        return []
    state = s3.get_bucket_versioning(Bucket=name).get("Status")
    return [] if state == "Enabled" else [f"versioning is {state or 'off'}"]


def _not_encrypted(patient: Patient, s3: Any, name: str) -> list[str]:
    from botocore.exceptions import ClientError

    wanted = patient.outputs.encryption_key_arn
    try:
        rules = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    except ClientError as error:
        if error_code(error) != "ServerSideEncryptionConfigurationNotFoundError":
            raise
        return ["it has no encryption of ours"]
    keys = {rule["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID") for rule in rules}
    return [] if not wanted or wanted in keys else [f"it is encrypted with {keys}, not {wanted}"]


def policy(patient: Patient) -> Answer:
    """Does the bucket's policy keep TLS, and deny the server nothing?"""
    from botocore.exceptions import ClientError

    name, s3 = _bucket_name(patient), client(patient, "s3")
    with asking_aws(patient):
        try:
            document = iam_documents.parse(s3.get_bucket_policy(Bucket=name)["Policy"])
        except ClientError as error:
            if error_code(error) == "NoSuchBucketPolicy":
                return failed(
                    f"{name} has no policy",
                    cause="the bucket's policy was removed: access without TLS is not denied",
                    next_step=DEPLOY,
                )
            if error_code(error) == "NoSuchBucket":
                raise NotRun("there is no bucket: see aws.bucket") from None
            raise
    patient.exhibits.add("aws/bucket_policy.json", document)
    role = patient.outputs.server_role_arn or ""
    denied = [
        action
        for action in (*OBJECT_ACTIONS[:2], "s3:ListBucket")
        if iam_documents.denies(document, action, _resource(name, action), [role, "*"])
    ]
    if denied:
        return failed(
            f"{name}'s policy denies {', '.join(denied)} to the server",
            cause="a statement of the bucket's policy denies what the server needs",
            next_step=DEPLOY,
        )
    if not iam_documents.demands_tls(document):
        return failed(
            f"{name}'s policy does not deny access without TLS",
            cause="the bucket's policy was changed",
            next_step=DEPLOY,
        )
    return passed(f"{name}'s policy demands TLS and denies the server nothing")


def role(patient: Patient) -> Answer:
    """May the server's pods assume its role, and does it allow what artifacts need?"""
    from botocore.exceptions import ClientError

    arn = patient.outputs.server_role_arn
    if not arn:
        raise NotRun("the stack exports no serverRoleArn")
    name, iam = arn.rpartition("/")[2], client(patient, "iam")
    with asking_aws(patient):
        try:
            found = iam.get_role(RoleName=name)["Role"]
        except ClientError as error:
            if error_code(error) != "NoSuchEntity":
                raise
            return failed(
                f"IAM knows no role {name}",
                cause="the server's role was deleted: its pods have no rights on AWS",
                next_step=f"{DEPLOY} Then `kubectl rollout restart -n mlflow deployment/mlflow`.",
            )
        documents = _documents(patient, iam, name)
        untrusted = _untrusted(patient, iam, found["AssumeRolePolicyDocument"])
    missing = _missing(patient, list(documents.values()))
    if missing:
        return failed(
            f"role {name} ({', '.join(documents) or 'no policy'}) does not allow "
            f"{', '.join(missing)}",
            cause="a policy of the server's role was removed or changed",
            next_step=DEPLOY,
        )
    if untrusted:
        return failed(
            f"role {name}: {untrusted}",
            cause="the server's pods cannot assume their role (IRSA)",
            next_step=DEPLOY,
        )
    return passed(
        f"role {name} allows what artifacts need ({', '.join(documents)}), and the pods "
        "may assume it"
    )


def _documents(patient: Patient, iam: Any, name: str) -> dict[str, iam_documents.Document]:
    documents: dict[str, iam_documents.Document] = {}
    for policy_name in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        found = iam.get_role_policy(RoleName=name, PolicyName=policy_name)["PolicyDocument"]
        documents[policy_name] = iam_documents.parse(found)
    for item in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        arn = item["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]
        documents[item["PolicyName"]] = iam_documents.parse(found["Document"])
    patient.exhibits.add("aws/role_policies.json", documents)
    return documents


def _missing(patient: Patient, documents: list[iam_documents.Document]) -> list[str]:
    name, key = patient.outputs.artifact_bucket, patient.outputs.encryption_key_arn
    wanted: list[tuple[str, str]] = []
    if name:
        wanted += [
            (action, _resource(name, action)) for action in ("s3:ListBucket", *OBJECT_ACTIONS)
        ]
    if name and key:
        wanted += [(action, key) for action in KEY_ACTIONS]
    return [
        action
        for action, resource in wanted
        if not iam_documents.allows(documents, action, resource)
    ]


def _untrusted(patient: Patient, iam: Any, trust: object) -> str | None:
    """Why the service account of the stack's cluster may not assume the role."""
    cluster = patient.outputs.cluster_name
    if not cluster:
        return None
    described = client(patient, "eks").describe_cluster(name=cluster)["cluster"]
    issuer = str(described["identity"]["oidc"]["issuer"]).removeprefix("https://")
    arns = [
        str(item["Arn"])
        for item in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    ]
    provider = next((arn for arn in arns if arn.endswith(f"oidc-provider/{issuer}")), None)
    if provider is None:
        return f"IAM has no OIDC provider for the cluster's issuer {issuer}"
    space = patient.outputs.kubernetes_namespace or "mlflow"
    subject = f"system:serviceaccount:{space}:mlflow"
    if not iam_documents.trusted(iam_documents.parse(trust), federated=provider, subject=subject):
        return f"its trust policy does not admit {subject} of {cluster}"
    return None


def key(patient: Patient) -> Answer:
    """Is the key usable?"""
    arn = patient.outputs.encryption_key_arn
    if not arn:
        raise NotRun("the stack exports no encryptionKeyArn")
    with asking_aws(patient):
        state = client(patient, "kms").describe_key(KeyId=arn)["KeyMetadata"]
    if state["KeyState"] == "Enabled":
        return passed(f"{arn} is enabled")
    when = state.get("DeletionDate")
    return failed(
        f"{arn} is {state['KeyState']}" + (f", goes on {when:%Y-%m-%d}" if when else ""),
        cause="the key of database, artifacts and secrets was disabled or is to be deleted: none "
        "of them can be read without it",
        next_step=f"aws kms cancel-key-deletion --key-id {arn} (where it is to be deleted), then "
        f"aws kms enable-key --key-id {arn}",
    )


def _resource(name: str, action: str) -> str:
    return f"arn:aws:s3:::{name}" if action == "s3:ListBucket" else f"arn:aws:s3:::{name}/any"


CHECKS = (
    Check(
        name="aws.key",
        question="Is the key of database, artifacts and secrets usable?",
        ask=key,
        explained_by=("aws.account",),
    ),
    Check(
        name="aws.bucket",
        question="Is the artifact bucket there, private, versioned and encrypted?",
        ask=bucket,
        explained_by=("aws.account",),
    ),
    Check(
        name="aws.bucket_policy",
        question="Does the bucket's policy demand TLS, and deny the server nothing?",
        ask=policy,
        explained_by=("aws.bucket",),
    ),
    Check(
        name="aws.server_role",
        question="May the server's pods assume their role (IRSA), and does it allow what they do?",
        ask=role,
        explained_by=("aws.account",),
    ),
)
