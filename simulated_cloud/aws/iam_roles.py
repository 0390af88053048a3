"""IAM roles, their policies, and policies of their own.

Owns what IAM asks of names and documents, that an attached policy exists, and that a role or policy
in use is not deleted. IAM is one for all regions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar
from urllib.parse import unquote

from simulated_cloud.aws.aws_type import AwsType, from_key_value, key_value
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.iam_names import check_arn, check_document, check_name
from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

LARGEST_INLINE_POLICY, LARGEST_POLICY, LARGEST_TRUST = 10240, 6144, 2048


class Role(AwsType):
    """aws.iam.Role."""

    token = "aws:iam/role:Role"
    title = "IAM Role"
    missing = frozenset({"NoSuchEntity"})
    defaults: ClassVar = {
        "path": "/",
        "maxSessionDuration": 3600,
        "forceDetachPolicies": False,
    }
    replace_on = frozenset({"name", "namePrefix", "path"})
    name_property = "name"
    name_length = 64
    kept = frozenset({"forceDetachPolicies"})
    unsupported = frozenset({"inlinePolicies", "managedPolicyArns", "namePrefix"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield what IAM takes for no role."""
        yield from check_name(inputs, 64)
        yield from check_document(inputs, "assumeRolePolicy", trust=True)
        if len(_compact(inputs.get("assumeRolePolicy"))) > LARGEST_TRUST:
            yield InputProblem(
                "assumeRolePolicy",
                f"LimitExceeded: Cannot exceed quota for ACLSizePerRole: {LARGEST_TRUST}",
            )
        duration = inputs.get("maxSessionDuration", 3600)
        if not 3600 <= duration <= 43200:
            yield InputProblem(
                "maxSessionDuration",
                f"expected max_session_duration to be in the range (3600 - 43200), got {duration}",
            )
        if len(inputs.get("description") or "") > 1000:
            yield InputProblem(
                "description", "expected length of description to be in the range (0 - 1000)"
            )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the role."""
        optional = {"Description": inputs.get("description")}
        optional |= {"PermissionsBoundary": inputs.get("permissionsBoundary")}
        aws.client("iam").create_role(
            RoleName=inputs["name"],
            Path=inputs["path"],
            AssumeRolePolicyDocument=inputs["assumeRolePolicy"],
            MaxSessionDuration=inputs["maxSessionDuration"],
            Tags=key_value(inputs.get("tagsAll")),
            **{key: value for key, value in optional.items() if value},
        )
        return inputs["name"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the role with the names of what is attached to it."""
        iam = aws.client("iam")
        role = iam.get_role(RoleName=identity)["Role"]
        boundary = (role.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
        return {
            "arn": role["Arn"],
            "name": role["RoleName"],
            "path": role["Path"],
            "uniqueId": role["RoleId"],
            "createDate": role["CreateDate"].isoformat(),
            "assumeRolePolicy": _document(role["AssumeRolePolicyDocument"]),
            "description": role.get("Description") or "",
            "maxSessionDuration": role.get("MaxSessionDuration", 3600),
            "permissionsBoundary": boundary,
            "tagsAll": from_key_value(role.get("Tags")),
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Change who may assume it, for how long, and within which bounds."""
        iam = aws.client("iam")
        if "assumeRolePolicy" in changed:
            iam.update_assume_role_policy(
                RoleName=identity, PolicyDocument=news["assumeRolePolicy"]
            )
        if changed & {"description", "maxSessionDuration"}:
            iam.update_role(
                RoleName=identity,
                Description=news.get("description") or "",
                MaxSessionDuration=news["maxSessionDuration"],
            )
        if "permissionsBoundary" in changed:
            if news.get("permissionsBoundary"):
                iam.put_role_permissions_boundary(
                    RoleName=identity, PermissionsBoundary=news["permissionsBoundary"]
                )
            else:
                iam.delete_role_permissions_boundary(RoleName=identity)

    def retag(
        self, aws: AwsCloud, identity: str, state: Properties, gone: list[str], tags: dict[str, str]
    ) -> None:
        """Write tags."""
        iam = aws.client("iam")
        if gone:
            iam.untag_role(RoleName=identity, TagKeys=gone)
        if tags:
            iam.tag_role(RoleName=identity, Tags=key_value(tags))

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete a role from which everything is detached."""
        iam = aws.client("iam")
        attached = iam.list_attached_role_policies(RoleName=identity)["AttachedPolicies"]
        inline = iam.list_role_policies(RoleName=identity)["PolicyNames"]
        if state.get("forceDetachPolicies"):
            for policy in attached:
                iam.detach_role_policy(RoleName=identity, PolicyArn=policy["PolicyArn"])
            for name in inline:
                iam.delete_role_policy(RoleName=identity, PolicyName=name)
        elif attached or inline:
            raise Refusal(
                "DeleteConflict: Cannot delete entity, must detach all policies first. "
                f"({', '.join([*(p['PolicyArn'] for p in attached), *inline])})"
            )
        iam.delete_role(RoleName=identity)


class RolePolicy(AwsType):
    """aws.iam.RolePolicy: a policy inside a role."""

    token = "aws:iam/rolePolicy:RolePolicy"
    title = "IAM Role Policy"
    missing = frozenset({"NoSuchEntity"})
    replace_on = frozenset({"name", "namePrefix", "role"})
    name_property = "name"
    name_length = 128
    unsupported = frozenset({"namePrefix"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield what IAM takes for no policy."""
        yield from check_name(inputs, 128)
        yield from check_document(inputs, "policy")
        if len(_compact(inputs.get("policy"))) > LARGEST_INLINE_POLICY:
            yield InputProblem(
                "policy",
                "LimitExceeded: Maximum policy size of "
                f"{LARGEST_INLINE_POLICY} bytes exceeded for role",
            )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Write the policy into the role."""
        self._put(aws, inputs["role"], inputs["name"], inputs["policy"])
        return f"{inputs['role']}:{inputs['name']}"

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the policy."""
        role, _, name = identity.partition(":")
        answer = aws.client("iam").get_role_policy(RoleName=role, PolicyName=name)
        return {"role": role, "name": name, "policy": _document(answer["PolicyDocument"])}

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Write the policy anew."""
        role, _, name = identity.partition(":")
        self._put(aws, role, name, news["policy"])

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Take the policy out."""
        role, _, name = identity.partition(":")
        aws.client("iam").delete_role_policy(RoleName=role, PolicyName=name)

    @staticmethod
    def _put(aws: AwsCloud, role: str, name: str, policy: str) -> None:
        aws.client("iam").put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=policy)


class RolePolicyAttachment(AwsType):
    """aws.iam.RolePolicyAttachment."""

    token = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    title = "IAM Role Policy Attachment"
    missing = frozenset({"NoSuchEntity"})
    replace_on = frozenset({"policyArn", "role"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield an ARN that is none."""
        yield from check_arn(inputs, "policyArn")

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Attach a policy that exists."""
        aws.client("iam").attach_role_policy(RoleName=inputs["role"], PolicyArn=inputs["policyArn"])
        return f"{inputs['role']}/{inputs['policyArn']}"

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the attachment."""
        role, _, arn = identity.partition("/")
        attached = aws.client("iam").list_attached_role_policies(RoleName=role)
        if arn not in [policy["PolicyArn"] for policy in attached["AttachedPolicies"]]:
            return None
        return {"role": role, "policyArn": arn}

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Detach the policy."""
        role, _, arn = identity.partition("/")
        aws.client("iam").detach_role_policy(RoleName=role, PolicyArn=arn)


class Policy(AwsType):
    """aws.iam.Policy: a policy of its own; a change is a new default version."""

    token = "aws:iam/policy:Policy"
    title = "IAM Policy"
    missing = frozenset({"NoSuchEntity"})
    defaults: ClassVar = {"path": "/"}
    replace_on = frozenset({"name", "namePrefix", "path", "description"})
    name_property = "name"
    name_length = 128
    unsupported = frozenset({"namePrefix"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield what IAM takes for no policy."""
        yield from check_name(inputs, 128)
        yield from check_document(inputs, "policy")
        if len(_compact(inputs.get("policy"))) > LARGEST_POLICY:
            yield InputProblem(
                "policy", f"LimitExceeded: Cannot exceed quota for PolicySize: {LARGEST_POLICY}"
            )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the policy; its ARN is its id."""
        answer = aws.client("iam").create_policy(
            PolicyName=inputs["name"],
            Path=inputs["path"],
            PolicyDocument=inputs["policy"],
            Description=inputs.get("description") or "",
            Tags=key_value(inputs.get("tagsAll")),
        )
        return answer["Policy"]["Arn"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the policy in its default version."""
        iam = aws.client("iam")
        policy = iam.get_policy(PolicyArn=identity)["Policy"]
        version = iam.get_policy_version(PolicyArn=identity, VersionId=policy["DefaultVersionId"])[
            "PolicyVersion"
        ]
        return {
            "arn": identity,
            "name": policy["PolicyName"],
            "path": policy["Path"],
            "policyId": policy["PolicyId"],
            "attachmentCount": policy["AttachmentCount"],
            "description": policy.get("Description") or "",
            "policy": _document(version["Document"]),
            "tagsAll": from_key_value(policy.get("Tags")),
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Make a new version the default, and the oldest one go where there are five."""
        iam = aws.client("iam")
        versions = iam.list_policy_versions(PolicyArn=identity)["Versions"]
        older = sorted((v for v in versions if not v["IsDefaultVersion"]), key=_version_number)
        if len(versions) >= 5:
            iam.delete_policy_version(PolicyArn=identity, VersionId=older[0]["VersionId"])
        iam.create_policy_version(
            PolicyArn=identity, PolicyDocument=news["policy"], SetAsDefault=True
        )

    def retag(
        self, aws: AwsCloud, identity: str, state: Properties, gone: list[str], tags: dict[str, str]
    ) -> None:
        """Write tags."""
        iam = aws.client("iam")
        if gone:
            iam.untag_policy(PolicyArn=identity, TagKeys=gone)
        if tags:
            iam.tag_policy(PolicyArn=identity, Tags=key_value(tags))

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete a policy that is attached to nothing."""
        iam = aws.client("iam")
        if iam.get_policy(PolicyArn=identity)["Policy"]["AttachmentCount"]:
            raise Refusal("DeleteConflict: Cannot delete a policy attached to entities.")
        for version in iam.list_policy_versions(PolicyArn=identity)["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=identity, VersionId=version["VersionId"])
        iam.delete_policy(PolicyArn=identity)


def see_role(aws: AwsCloud, arn: str) -> None:
    """Refuse a role that is not there.

    Raises:
        ClientError: IAM's NoSuchEntity.
    """
    aws.client("iam").get_role(RoleName=arn.rpartition("/")[2])


def trusted_services(aws: AwsCloud, arn: str) -> set[str]:
    """Return the AWS services that may assume a role."""
    role = aws.client("iam").get_role(RoleName=arn.rpartition("/")[2])["Role"]
    return set(_services(json.loads(_document(role["AssumeRolePolicyDocument"]))))


def _services(document: Any) -> Iterator[str]:
    statements = document.get("Statement") or []
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal")
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        yield from [services] if isinstance(services, str) else services


def _document(found: Any) -> str:
    """Return a document as text: boto3 decodes some answers and leaves others as they are."""
    if isinstance(found, str):
        return unquote(found) if found.startswith("%") else found
    return json.dumps(found)


def _compact(document: str | None) -> str:
    """Return a document without whitespace, which IAM does not count."""
    return "".join((document or "").split())


def _version_number(version: Any) -> int:
    return int(version["VersionId"].removeprefix("v"))


TYPES = (Role, RolePolicy, RolePolicyAttachment, Policy)
