"""What a bad answer means and what to do about it.

Owns the translation of statuses, error bodies and transport troubles into two sentences: the
problem and the remedy. It tells apart who said no (Cloud Run's IAM, AWS, MLflow's host check,
MLflow's permissions, a proxy, something that is no MLflow server at all), because each is mended
in another place. It decides nothing about retries.
"""

from __future__ import annotations

from dataclasses import dataclass

from smoke_tests.authentication import AuthenticationKind
from smoke_tests.http_connection import Answer
from smoke_tests.json_document import find_text, parse_document
from smoke_tests.masking import Masker
from smoke_tests.target import Target
from smoke_tests.transport_problem import TransportProblem, Trouble

_LOOK_AT_LOG = "Read the server's log at this time: it names the cause."
_NOT_MLFLOW = (
    "Something else than MLflow answers there: check host, port and path of the tracking URI; the "
    "path must be the server's --static-prefix, and a login page means that a proxy wants to be "
    "told who you are."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """What an explanation depends on besides the answer itself."""

    target: Target
    authentication: AuthenticationKind
    masker: Masker


def explain_trouble(trouble: TransportProblem, situation: Situation) -> str:
    """The remedy when no answer arrived."""
    if trouble.proxy is not None and trouble.trouble not in {Trouble.CERTIFICATE, Trouble.TLS}:
        return (
            f"Check that the proxy {trouble.proxy} is up and lets {situation.target.authority} "
            "through, or name the host in NO_PROXY."
        )
    target = situation.target
    match trouble.trouble:
        case Trouble.REFUSED:
            if target.is_loopback:
                return (
                    "Nothing listens on that port: deploy with `make up`, or give the address "
                    "that the stack's output trackingUri names."
                )
            return "Nothing listens there: check that the server runs and that the port is right."
        case Trouble.UNKNOWN_HOST:
            return "Check the spelling of the host in the tracking URI, and this machine's DNS."
        case Trouble.TIMEOUT | Trouble.UNREACHABLE:
            return (
                "Check that the server runs and that firewall, security group or VPN let this "
                "machine reach it; a slow start needs a longer --health-timeout."
            )
        case Trouble.CERTIFICATE:
            return (
                "If the server has a private CA, set MLFLOW_TRACKING_SERVER_CERT_PATH to its "
                "bundle; otherwise check that the certificate names this host and is not expired."
            )
        case Trouble.TLS | Trouble.NOT_HTTP:
            other = "http" if target.scheme == "https" else "https"
            return f"The server may speak the other scheme: try {other}://{target.authority}."
        case Trouble.TOO_LARGE:
            return _NOT_MLFLOW
        case Trouble.BROKEN | Trouble.TRUNCATED | Trouble.PROXY:
            return (
                "The server or a load balancer in front of it dropped the connection: check that "
                "the server is not restarting or out of memory."
            )


def describe(answer: Answer, situation: Situation) -> str:
    """The problem in a bad answer, in one line."""
    said = _message(answer, situation.masker)
    text = situation.masker.foreign(f"HTTP {answer.status} {answer.reason}".rstrip())
    return f"{text}: {said}" if said else text


def explain_answer(answer: Answer, situation: Situation) -> str:
    """The remedy for a bad answer."""
    body = answer.body[:4096].decode("utf-8", "replace")
    status = answer.status
    if 300 <= status < 400:
        return _redirect(answer, situation)
    if "Invalid Host header" in body:
        return _host_not_allowed(situation.target)
    if "QueuePool limit" in body:
        return (
            "The server ran out of database connections: raise poolSize and poolMaxOverflow, or "
            "lower serverWorkers; the connection budget must hold."
        )
    if status == 401:
        return _not_authenticated(situation.authentication)
    if status == 403:
        return _not_permitted(answer, body, situation)
    if status in {404, 405} and _error_code(answer) is None:
        return _NOT_MLFLOW
    if "plain HTTP request was sent to HTTPS port" in body:
        return f"The server speaks TLS: use https://{situation.target.authority}."
    if status == 429:
        return "The server or a gateway limits requests: lower the load, or raise the quota."
    if status in {502, 503, 504}:
        return (
            "The server behind the load balancer is not ready: check that it is running, passes "
            "its readiness probe and reaches its database."
        )
    if status >= 500:
        return f"The server failed inside; most often it cannot reach its database. {_LOOK_AT_LOG}"
    if status >= 400:
        return f"The server refused the request itself. {_LOOK_AT_LOG}"
    return _NOT_MLFLOW


def _redirect(answer: Answer, situation: Situation) -> str:
    location = situation.masker.foreign(answer.headers.get("location", "").split("?")[0])
    target = situation.target
    if "accounts.google.com" in location:
        return (
            "A Google login (Identity-Aware Proxy) stands in front of the server: pass --auth "
            "google with --google-audience set to the proxy's client ID."
        )
    if target.scheme == "http" and location.startswith(f"https://{target.host}"):
        return f"The server wants TLS: use https://{target.authority}{target.prefix}."
    elsewhere = location or "elsewhere"
    return (
        f"The server sends callers to {elsewhere}: give the address of the MLflow server itself; "
        "the check follows no redirect, because a redirected request loses what it carries."
    )


def _host_not_allowed(target: Target) -> str:
    return (
        f"MLflow does not know itself under this name: add {target.authority} to allowedHosts "
        "(MLFLOW_SERVER_ALLOWED_HOSTS); names match exactly, port included."
    )


def _not_authenticated(authentication: AuthenticationKind) -> str:
    match authentication:
        case "none":
            return (
                "The server wants to know who asks: set MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, or choose with --auth."
            )
        case "basic":
            return (
                "User name or password is wrong: check MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD; a password changed in the settings does not change "
                "that of an existing MLflow user."
            )
        case "bearer":
            return "The token is wrong or expired: fetch a new one into MLFLOW_TRACKING_TOKEN."
        case "google":
            return (
                "The identity token was not accepted: its audience must be the service's own URL "
                "(--google-audience), and the MLflow server behind it may want basic "
                "authentication as well: then set MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD too."
            )
        case "aws-sigv4":
            return "The signature was not accepted: check --aws-service and --aws-region."


def _not_permitted(answer: Answer, body: str, situation: Situation) -> str:
    target, authentication = situation.target, situation.authentication
    if _error_code(answer) is not None:
        return (
            "MLflow knows the user and denies the action: grant the user permission on the "
            "experiment, or use the administrator's account."
        )
    if target.host.endswith(".run.app") or "does not have permission to get URL" in body:
        if authentication in {"none", "basic"}:
            return (
                "Cloud Run admits callers with an identity token only: pass --auth google "
                "(user name and password are then sent along with it)."
            )
        return (
            "Cloud Run does not admit this identity: grant it roles/run.invoker on the service "
            "(gcloud run services add-iam-policy-binding), and check that the token's audience is "
            "the service's URL."
        )
    if "x-amzn-requestid" in answer.headers or "x-amzn-errortype" in answer.headers:
        if authentication != "aws-sigv4":
            return "The endpoint wants signed requests: pass --auth aws-sigv4."
        return (
            "AWS refused the signed request: the role needs execute-api:Invoke on this API, and "
            "--aws-service, --aws-region and this machine's clock must be right."
        )
    return (
        "A proxy, firewall or gateway in front of the server refuses this caller: ask for access, "
        "or choose another way to authenticate with --auth."
    )


def _error_code(answer: Answer) -> str | None:
    """MLflow's own error code; None when somebody else answered."""
    return find_text(parse_document(answer.body), "error_code")


def _message(answer: Answer, masker: Masker) -> str:
    document = parse_document(answer.body)
    code = find_text(document, "error_code")
    message = find_text(document, "message") or find_text(document, "Message")
    if code or message:
        text = ": ".join(part for part in (code, message) if part)
    elif "html" in answer.headers.get("content-type", "") or answer.body.lstrip()[:1] == b"<":
        return "an HTML page"
    else:
        text = answer.body.decode("utf-8", "replace")
    # Masked before it is cut: half a secret would no longer be recognised.
    text = masker.foreign(text)
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return words if len(words) <= 200 else words[:199] + "…"
