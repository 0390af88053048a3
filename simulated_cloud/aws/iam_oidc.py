"""OpenID Connect providers: whose tokens IAM believes.

Owns the provider of a cluster's service accounts. Its thumbprint is AWS's own affair since 2023.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from simulated_cloud.aws.aws_type import AwsType, from_key_value, key_value
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

THUMBPRINT = "9e99a48a9960b14926bb7f3b02e22da2b0ab7280"


class OpenIdConnectProvider(AwsType):
    """aws.iam.OpenIdConnectProvider."""

    token = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
    title = "IAM OIDC Provider"
    missing = frozenset({"NoSuchEntity"})
    replace_on = frozenset({"url", "clientIdLists"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield an address that is none."""
        url = inputs.get("url", "https://example.com")
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            yield InputProblem("url", f"InvalidInput: Invalid Open ID Connect Provider URL: {url}")
        if inputs.get("clientIdLists") == []:
            yield InputProblem("clientIdLists", "Not enough items: expected at least 1")
        for thumbprint in inputs.get("thumbprintLists") or []:
            if len(thumbprint) != 40:
                yield InputProblem(
                    "thumbprintLists", "expected length of thumbprint_list to be in (40 - 40)"
                )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the provider; one address has one."""
        iam = aws.client("iam")
        host = inputs["url"].removeprefix("https://")
        arn = aws.arn("iam", f"oidc-provider/{host}", regional=False)
        listed = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
        if arn in [item["Arn"] for item in listed]:
            raise Refusal(f"EntityAlreadyExists: Provider with url {inputs['url']} already exists.")
        return iam.create_open_id_connect_provider(
            Url=inputs["url"],
            ClientIDList=inputs["clientIdLists"],
            ThumbprintList=inputs.get("thumbprintLists") or [THUMBPRINT],
            Tags=key_value(inputs.get("tagsAll")),
        )["OpenIDConnectProviderArn"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the provider; the address comes back without its scheme, as IAM keeps it."""
        provider = aws.client("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=identity)
        url = provider["Url"]
        wanted = known.get("url") or ""
        return {
            "arn": identity,
            "url": wanted if wanted.removeprefix("https://") == url else f"https://{url}",
            "clientIdLists": provider["ClientIDList"],
            "thumbprintLists": provider["ThumbprintList"],
            "tagsAll": from_key_value(provider.get("Tags")),
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Change the thumbprints."""
        aws.client("iam").update_open_id_connect_provider_thumbprint(
            OpenIDConnectProviderArn=identity,
            ThumbprintList=news.get("thumbprintLists") or [THUMBPRINT],
        )

    def retag(
        self, aws: AwsCloud, identity: str, state: Properties, gone: list[str], tags: dict[str, str]
    ) -> None:
        """Write tags."""
        iam = aws.client("iam")
        if gone:
            iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=identity, TagKeys=gone)
        if tags:
            iam.tag_open_id_connect_provider(
                OpenIDConnectProviderArn=identity, Tags=key_value(tags)
            )

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete the provider."""
        aws.client("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=identity)


TYPES = (OpenIdConnectProvider,)
