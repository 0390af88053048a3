"""SNS topics, their policies and subscriptions.

Owns which protocols there are and what each takes for an address; that an e-mail subscription waits
for its confirmation is AWS's affair and changes nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from simulated_cloud.aws.aws_type import AwsType, from_key_value, key_value
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.iam_names import check_document
from simulated_cloud.aws.kms import see_key
from simulated_cloud.errors import InputProblem, NotSupported
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

PROTOCOLS = {
    "email": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "email-json": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "https": r"https://\S+",
    "http": r"http://\S+",
    "sqs": r"arn:aws:sqs:\S+",
    "lambda": r"arn:aws:lambda:\S+",
    "firehose": r"arn:aws:firehose:\S+",
    "application": r"arn:aws:sns:\S+",
    "sms": r"\+?\d+",
}
_ATTRIBUTES = {
    "displayName": "DisplayName",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "policy": "Policy",
    "deliveryPolicy": "DeliveryPolicy",
}


class Topic(AwsType):
    """aws.sns.Topic."""

    token = "aws:sns/topic:Topic"
    title = "SNS Topic"
    missing = frozenset({"NotFound", "NotFoundException"})
    defaults: ClassVar = {"fifoTopic": False, "contentBasedDeduplication": False}
    replace_on = frozenset({"name", "namePrefix", "fifoTopic"})
    name_property = "name"
    name_length = 256
    kept = frozenset({"signatureVersion", "tracingConfig"})
    unsupported = frozenset({"archivePolicy", "namePrefix"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a name that no topic has."""
        name = inputs.get("name", "x")
        ending = r"\.fifo" if inputs.get("fifoTopic") else ""
        if not re.fullmatch(rf"[a-zA-Z0-9_-]{{1,256}}{ending}", name):
            yield InputProblem("name", f"invalid topic name: {name}")
        yield from check_document(inputs, "policy")

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the topic; its ARN is its id. SNS gives an existing one back for the same name."""
        see_key(aws, inputs.get("kmsMasterKeyId"))
        attributes = {key: inputs[name] for name, key in _ATTRIBUTES.items() if inputs.get(name)}
        if inputs["fifoTopic"]:
            attributes["FifoTopic"] = "true"
        return aws.client("sns").create_topic(
            Name=inputs["name"], Attributes=attributes, Tags=key_value(inputs.get("tagsAll"))
        )["TopicArn"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the topic; its policy is a resource of its own unless the program gave it here."""
        sns = aws.client("sns")
        found = sns.get_topic_attributes(TopicArn=identity)["Attributes"]
        tags = sns.list_tags_for_resource(ResourceArn=identity)["Tags"]
        return {
            "arn": identity,
            "name": identity.rpartition(":")[2],
            "owner": aws.account_id,
            "displayName": found.get("DisplayName") or "",
            "kmsMasterKeyId": found.get("KmsMasterKeyId") or None,
            "policy": found.get("Policy"),
            "fifoTopic": found.get("FifoTopic") == "true",
            "tagsAll": from_key_value(tags),
        }

    def outputs(self, inputs: Properties, read: Properties, identity: str) -> Properties:
        """Leave the policy out: TopicPolicy changes it, and that is no drift of the topic."""
        known = read if "policy" in inputs else {k: v for k, v in read.items() if k != "policy"}
        return super().outputs(inputs, known, identity)

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Write attributes."""
        see_key(aws, news.get("kmsMasterKeyId"))
        for name in sorted(changed & _ATTRIBUTES.keys()):
            aws.client("sns").set_topic_attributes(
                TopicArn=identity,
                AttributeName=_ATTRIBUTES[name],
                AttributeValue=news.get(name) or "",
            )

    def retag(
        self, aws: AwsCloud, identity: str, state: Properties, gone: list[str], tags: dict[str, str]
    ) -> None:
        """Write tags."""
        sns = aws.client("sns")
        if gone:
            sns.untag_resource(ResourceArn=identity, TagKeys=gone)
        if tags:
            sns.tag_resource(ResourceArn=identity, Tags=key_value(tags))

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete the topic."""
        aws.client("sns").get_topic_attributes(TopicArn=identity)
        aws.client("sns").delete_topic(TopicArn=identity)


class TopicPolicy(AwsType):
    """aws.sns.TopicPolicy: who may publish."""

    token = "aws:sns/topicPolicy:TopicPolicy"
    title = "SNS Topic Policy"
    missing = frozenset({"NotFound", "NotFoundException"})
    replace_on = frozenset({"arn"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield what is no policy."""
        yield from check_document(inputs, "policy")

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Write the policy."""
        self._set(aws, inputs["arn"], inputs["policy"])
        return inputs["arn"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the policy."""
        found = aws.client("sns").get_topic_attributes(TopicArn=identity)["Attributes"]
        if not found.get("Policy") or "__default_policy_ID" in found["Policy"]:
            return None
        return {"arn": identity, "owner": aws.account_id, "policy": found["Policy"]}

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Write the policy anew."""
        self._set(aws, identity, news["policy"])

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Give the topic AWS's own policy back."""
        default = (
            '{"Version":"2008-10-17","Id":"__default_policy_ID","Statement":[{"Sid":'
            '"__default_statement_ID","Effect":"Allow","Principal":{"AWS":"*"},"Action":'
            '["SNS:Publish"],"Resource":"%s","Condition":{"StringEquals":{"AWS:SourceOwner":"%s"}}}]}'
        )
        aws.client("sns").get_topic_attributes(TopicArn=identity)
        self._set(aws, identity, default % (identity, aws.account_id))

    @staticmethod
    def _set(aws: AwsCloud, arn: str, policy: str) -> None:
        aws.client("sns").set_topic_attributes(
            TopicArn=arn, AttributeName="Policy", AttributeValue=policy
        )


class TopicSubscription(AwsType):
    """aws.sns.TopicSubscription."""

    token = "aws:sns/topicSubscription:TopicSubscription"
    title = "SNS Topic Subscription"
    missing = frozenset({"NotFound", "NotFoundException"})
    defaults: ClassVar = {
        "confirmationTimeoutInMinutes": 1,
        "endpointAutoConfirms": False,
        "rawMessageDelivery": False,
    }
    replace_on = frozenset({"endpoint", "protocol", "topic"})
    kept = frozenset({"confirmationTimeoutInMinutes", "endpointAutoConfirms"})
    unsupported = frozenset({"deliveryPolicy", "redrivePolicy", "replayPolicy"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield protocols and addresses that are none."""
        protocol, endpoint = inputs.get("protocol", "email"), inputs.get("endpoint")
        if protocol not in PROTOCOLS:
            yield InputProblem(
                "protocol",
                f"expected protocol to be one of [{' '.join(sorted(PROTOCOLS))}], got {protocol}",
            )
        elif endpoint is not None and not re.fullmatch(PROTOCOLS[protocol], endpoint):
            yield InputProblem(
                "endpoint", f"InvalidParameter: Invalid parameter: {protocol} endpoint: {endpoint}"
            )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Subscribe to a topic that is there."""
        sns = aws.client("sns")
        sns.get_topic_attributes(TopicArn=inputs["topic"])
        attributes: dict[str, Any] = {}
        if inputs.get("filterPolicy"):
            attributes["FilterPolicy"] = inputs["filterPolicy"]
        if inputs["rawMessageDelivery"]:
            attributes["RawMessageDelivery"] = "true"
        return sns.subscribe(
            TopicArn=inputs["topic"],
            Protocol=inputs["protocol"],
            Endpoint=inputs["endpoint"],
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the subscription."""
        sns = aws.client("sns")
        found = sns.get_subscription_attributes(SubscriptionArn=identity)["Attributes"]
        return {
            "arn": identity,
            "topic": found["TopicArn"],
            "protocol": found["Protocol"],
            "endpoint": found["Endpoint"],
            "ownerId": found["Owner"],
            "rawMessageDelivery": found.get("RawMessageDelivery") == "true",
            "filterPolicy": found.get("FilterPolicy"),
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Change what is delivered, and how."""
        sns = aws.client("sns")
        values = {
            "rawMessageDelivery": ("RawMessageDelivery", str(news["rawMessageDelivery"]).lower()),
            "filterPolicy": ("FilterPolicy", news.get("filterPolicy") or "{}"),
        }
        for name in sorted(changed):
            if name not in values:
                raise NotSupported(f"a subscription's {name} cannot be changed")
            key, value = values[name]
            sns.set_subscription_attributes(
                SubscriptionArn=identity, AttributeName=key, AttributeValue=value
            )

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Unsubscribe."""
        aws.client("sns").get_subscription_attributes(SubscriptionArn=identity)
        aws.client("sns").unsubscribe(SubscriptionArn=identity)


TYPES = (Topic, TopicPolicy, TopicSubscription)
