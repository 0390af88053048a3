"""Identities and their rights: service accounts, and members of roles on everything.

Owns the shape of members, account ids within Google's limits, and that a right is given on
something that is there. One class serves all `…IamMember` types: they differ in what they name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from simulated_cloud.errors import InputProblem
from simulated_cloud.gcp.cloud import GcpCloud
from simulated_cloud.gcp.compute import BACKEND, SERVICE
from simulated_cloud.gcp.gcp_type import GcpType
from simulated_cloud.gcp.kms import CRYPTO_KEY
from simulated_cloud.gcp.storage import BUCKET
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

ACCOUNT = "gcp:serviceaccount/account:Account"
SECRET = "gcp:secretmanager/secret:Secret"
JOB = "gcp:cloudrunv2/job:Job"

_ACCOUNT_ID = re.compile(r"[a-z](?:[-a-z0-9]{4,28}[a-z0-9])")
_MEMBER = re.compile(
    r"allUsers|allAuthenticatedUsers|(user|group|serviceAccount|domain):\S+|principal(Set)?://\S+"
)
_ROLE = re.compile(r"roles/[a-zA-Z0-9._]+|(projects|organizations)/[^/]+/roles/[a-zA-Z0-9._]+")


class Account(GcpType):
    """serviceaccount.Account."""

    token = ACCOUNT
    title = "service account"
    identity = "projects/{project}/serviceAccounts/{accountId}@{project}.iam.gserviceaccount.com"
    replace_on = frozenset({"accountId", "project"})

    def check(self, call: Call[GcpCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield an id that Google does not take."""
        account_id = inputs.get("accountId")
        if account_id is not None and not _ACCOUNT_ID.fullmatch(str(account_id)):
            yield InputProblem(
                "accountId",
                f'"account_id" ("{account_id}") doesn\'t match regexp '
                '"^[a-z](?:[-a-z0-9]{4,28}[a-z0-9])$"',
            )

    def computed(self, cloud: GcpCloud, identity: str, values: Properties) -> Properties:
        """Add the address and how policies write it."""
        email = identity.rpartition("/")[2]
        return {
            "email": email,
            "member": f"serviceAccount:{email}",
            "name": identity,
            "uniqueId": "100000000000000000001",
        }


class IamMember(GcpType):
    """A member of a role on something."""

    title = "IAM member"
    replace_on = frozenset({"*"})

    def check(self, call: Call[GcpCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield members and roles that are none."""
        member, role = inputs.get("member"), inputs.get("role")
        if member is not None and not _MEMBER.fullmatch(str(member)):
            yield InputProblem(
                "member",
                f"invalid value for member (IAM members must have one of "
                f"the values outlined in the documentation): {member}",
            )
        if role is not None and not _ROLE.fullmatch(str(role)):
            yield InputProblem("role", f"The role name must be in the form roles/…, got {role}")

    def computed(self, cloud: GcpCloud, identity: str, values: Properties) -> Properties:
        """Add the policy's tag."""
        return {"etag": "BwYAAAAAAAA="}


def member_of(token: str, on: str, owner: str | None) -> type[IamMember]:
    """The type of members of roles on what the input `on` names."""

    class Member(IamMember):
        refers_to: ClassVar = {on: owner} if owner else {}
        identity: ClassVar[str] = f"{{{on}}}/{{role}}/{{member}}"

    Member.token = token
    Member.__name__ = token.rpartition(":")[2]
    Member.__doc__ = f"{token}."
    return Member


MEMBERS = (
    member_of("gcp:projects/iAMMember:IAMMember", "project", None),
    member_of("gcp:storage/bucketIAMMember:BucketIAMMember", "bucket", BUCKET),
    member_of("gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember", "cryptoKeyId", CRYPTO_KEY),
    member_of("gcp:secretmanager/secretIamMember:SecretIamMember", "secretId", SECRET),
    member_of("gcp:cloudrunv2/serviceIamMember:ServiceIamMember", "name", SERVICE),
    member_of("gcp:cloudrunv2/jobIamMember:JobIamMember", "name", JOB),
    member_of(
        "gcp:iap/webBackendServiceIamMember:WebBackendServiceIamMember",
        "webBackendService",
        BACKEND,
    ),
)

TYPES = (Account, *MEMBERS)
