"""What an exception of botocore means to a person: what happened, and the way out.

Told by the name of the exception and by the code of the answer, so that nothing of botocore is imported to
look at an error, and no service is called. Nothing here says whether a write was done: of a call without an
answer nobody knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

__all__ = ["Failure", "explained", "is_denied", "is_missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What happened, in a sentence that goes on after "cannot ...:", and what to do about it."""

    what: str
    way_out: str


_LOG_IN = "log in again (`aws sso login`, or whatever gives you credentials), and run it again"
_CREDENTIALS = "set AWS_PROFILE or AWS_ACCESS_KEY_ID, `aws sso login`, or give the CI job a role"
_NETWORK = "look at the network, at `region` and AWS_ENDPOINT_URL, and run it again: nothing is lost"
_LATER = "run it again later, nothing is lost; if it goes on, look at who else calls so often, and at the quotas"
_REGION = "name `region` for this environment in slowsched.yaml, or set AWS_DEFAULT_REGION"
_CLOCK = "set this machine's clock (it must be within five minutes of AWS's), and run it again"
_CLIENT = "look at the AWS_* variables, ~/.aws/config, and this environment in slowsched.yaml"

# By the name of an exception that never reached AWS, or never got an answer; a more special one before its base.
_LOCAL = {
    "NoCredentialsError": Failure(what="there are no AWS credentials", way_out=_CREDENTIALS),
    "PartialCredentialsError": Failure(what="the AWS credentials are incomplete", way_out=_CREDENTIALS),
    "CredentialRetrievalError": Failure(what="the AWS credentials could not be fetched", way_out=_LOG_IN),
    "MetadataRetrievalError": Failure(what="the AWS credentials could not be fetched", way_out=_CREDENTIALS),
    "TokenRetrievalError": Failure(what="the AWS login has ended", way_out=_LOG_IN),
    "SSOError": Failure(what="the AWS single sign-on has no valid session", way_out=_LOG_IN),
    "LoginError": Failure(what="the AWS login has no valid session", way_out="log in again (`aws login`)"),
    "NoRegionError": Failure(what="there is no AWS region", way_out=_REGION),
    "InvalidRegionError": Failure(what="the AWS region is no region", way_out=_REGION),
    "ProfileNotFound": Failure(
        what="the AWS profile does not exist", way_out="correct AWS_PROFILE, or write that profile"
    ),
    "SSLError": Failure(
        what="the connection to AWS is not trusted",
        way_out="where a proxy looks into connections, set AWS_CA_BUNDLE to its certificates; else look at the clock",
    ),
    "ConnectionError": Failure(what="AWS cannot be reached", way_out=_NETWORK),
    "HTTPClientError": Failure(what="AWS does not answer", way_out=_NETWORK),
    "ResponseParserError": Failure(what="what answers is not AWS", way_out=_NETWORK),
    "BotoCoreError": Failure(what="the AWS client cannot be used so", way_out=_CLIENT),
}

_EXPIRED = Failure(what="the AWS credentials have expired", way_out=_LOG_IN)
_INVALID = Failure(
    what="AWS does not know these credentials",
    way_out=f"{_CREDENTIALS}; or the account has not enabled this region",
)
_THROTTLED = Failure(what="AWS throttles the calls, again and again", way_out=_LATER)
_CLOCKS = Failure(what="the clocks differ", way_out=_CLOCK)
_GONE = Failure(
    what="it does not exist",
    way_out="look at region, table and timer of this environment in slowsched.yaml; terraform/ makes what is missing",
)
_BUSY = Failure(what="somebody else changes it at this moment", way_out="run it again")
_BROKEN = Failure(
    what="AWS has a failure of its own, again and again",
    way_out="run it again later, nothing is lost; health.aws.amazon.com says what AWS knows of it",
)
_QUOTA = Failure(what="a limit of the account is reached", way_out="have the quota raised")
_FULL = Failure(
    what="a bucket of the table is full: it holds 10 GB",
    way_out="make a table with more buckets (terraform/), and apply into that",
)
_NO_PROVIDER = Failure(
    what="AWS does not take the token of the CI job",
    way_out="the account needs the OIDC provider of GitHub, which terraform/ makes",
)

# By the code of an answer.
_ANSWERS = {
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "UnrecognizedClientException": _INVALID,
    "InvalidClientTokenId": _INVALID,
    "InvalidAccessKeyId": _INVALID,
    "MissingAuthenticationToken": _INVALID,
    "MissingAuthenticationTokenException": _INVALID,
    "IncompleteSignature": _INVALID,
    "InvalidIdentityToken": _NO_PROVIDER,
    "RequestExpired": _CLOCKS,
    "RequestInTheFuture": _CLOCKS,
    "RequestTimeTooSkewed": _CLOCKS,
    "InternalFailure": _BROKEN,
    "InternalServerError": _BROKEN,
    "InternalException": _BROKEN,
    "ServiceUnavailable": _BROKEN,
    "ConcurrentModificationException": _BUSY,
    "ConflictException": _BUSY,
    "ItemCollectionSizeLimitExceededException": _FULL,
    "LimitExceededException": _QUOTA,
    "ServiceQuotaExceededException": _QUOTA,
    "ProvisionedThroughputExceededException": _THROTTLED,
    "RequestLimitExceeded": _THROTTLED,
    "SlowDown": _THROTTLED,
    "ResourceNotFound": _GONE,
    "ResourceNotFoundException": _GONE,
}
_SIGNATURE = frozenset({"InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})
_SERVER_FAULT = 500

# As IAM says it, of every service: who, then this, then why; of a role that is not given, in fewer words.
_MAY_NOT = re.compile(
    r"not authorized to perform:? (?P<action>[\w*-]+:[\w*-]+)(?: on resource: (?P<resource>\S+))?(?P<why>.*)",
    re.IGNORECASE,
)


def explained(error: BaseException) -> Failure | None:
    """Return what an exception of botocore means; None for what is no matter of AWS, but a fault of the program."""
    answer = getattr(error, "response", None)
    if isinstance(answer, dict) and isinstance(answer.get("Error"), dict):
        return _answered(answer)
    if isinstance(error, ValueError) and str(error).startswith("Invalid endpoint"):  # botocore has no class for it
        return Failure(what=f"the address of AWS is none ({_line(error)})", way_out="correct AWS_ENDPOINT_URL")
    for kind in type(error).__mro__:
        found = _LOCAL.get(kind.__name__) if kind.__module__.startswith("botocore.") else None
        if found is not None:
            return Failure(what=f"{found.what} ({_line(error)})", way_out=found.way_out)
    return None


def is_missing(error: BaseException) -> bool:
    """Say whether an answer says that the thing asked for does not exist."""
    answer = getattr(error, "response", None)
    return isinstance(answer, dict) and _ANSWERS.get(answer.get("Error", {}).get("Code")) is _GONE


def is_denied(error: BaseException | None) -> bool:
    """Say whether an answer says that these credentials may not do what was asked."""
    answer = getattr(error, "response", None)
    return isinstance(answer, dict) and answer.get("Error", {}).get("Code") in _DENIED


def _answered(answer: dict[str, Any]) -> Failure:
    code, message = str(answer["Error"].get("Code", "")), _line(answer["Error"].get("Message", ""))
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _DENIED:
        return _denied(message)
    known = _ANSWERS.get(code)
    if code in _SIGNATURE:
        known = _CLOCKS if "expired" in message or "not yet current" in message else _INVALID
    elif "Throttl" in code:
        known = _THROTTLED
    elif known is None and status >= _SERVER_FAULT:
        known = _BROKEN
    if known is not None:
        return Failure(what=f"{known.what} ({message or code})", way_out=known.way_out)
    return Failure(what=f"AWS answers {code}: {message}", way_out="`slowsched doctor` looks for what is wrong")


def _denied(message: str) -> Failure:
    found = _MAY_NOT.search(message)
    if found is None:
        return Failure(what=f"these credentials may not do it ({message})", way_out=_grant("it"))
    action = found["action"]
    if action.startswith("sts:AssumeRole"):
        return Failure(
            what=f"the role is not given to who asks for it ({message})",
            way_out="name the repository and its environment in the role's trust: the lists of subjects of terraform/",
        )
    where = f" on {found['resource']}" if found["resource"] else ""
    if "explicit deny" in found["why"]:
        return Failure(
            what=f"a policy denies {action}{where} to these credentials",
            way_out="whoever keeps that policy (of the role, its boundary, or the organization) must let it through",
        )
    return Failure(what=f"these credentials may not {action}{where}", way_out=_grant(action))


def _grant(action: str) -> str:
    return f"use the role that terraform/ makes for this, or let this one do {action}"


def _line(text: object) -> str:
    """Return a message as one line."""
    return " ".join(str(text).split())
