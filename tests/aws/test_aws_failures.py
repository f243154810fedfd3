"""What a person is told of each failure of AWS: the errors are botocore's own, their texts as AWS writes them."""

from __future__ import annotations

import botocore.exceptions as botocore
import pytest
from botocore.parsers import ResponseParserError

from slowsched.aws import aws_errors
from slowsched.aws_failures import Failure, explained, is_denied, is_missing
from slowsched.errors import StoreError, TimerError, UsageError

WHO = "User: arn:aws:sts::123456789012:assumed-role/shop-plan/ci"
TABLE = "arn:aws:dynamodb:eu-central-1:123456789012:table/shop"
LOG_IN = "log in again (`aws sso login`, or whatever gives you credentials), and run it again"
CREDENTIALS = "set AWS_PROFILE or AWS_ACCESS_KEY_ID, `aws sso login`, or give the CI job a role"
NETWORK = "look at the network, at `region` and AWS_ENDPOINT_URL, and run it again: nothing is lost"
CLOCK = "set this machine's clock (it must be within five minutes of AWS's), and run it again"
LATER = "run it again later, nothing is lost; if it goes on, look at who else calls so often, and at the quotas"
BROKEN = "run it again later, nothing is lost; health.aws.amazon.com says what AWS knows of it"
INVALID = f"{CREDENTIALS}; or the account has not enabled this region"
MISSING = "look at region, table and timer of this environment in slowsched.yaml; terraform/ makes what is missing"
CLIENT = "look at the AWS_* variables, ~/.aws/config, and this environment in slowsched.yaml"
REGION = "name `region` for this environment in slowsched.yaml, or set AWS_DEFAULT_REGION"


def grant(action):
    return f"use the role that terraform/ makes for this, or let this one do {action}"


def answer(code, message="as AWS says", status=400):
    """Return the exception for an answer."""
    return botocore.ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutItem"
    )


URL = "https://dynamodb.eu-central-1.amazonaws.com/"
NEVER_ANSWERED = {
    "no credentials": (
        botocore.NoCredentialsError(),
        "there are no AWS credentials (Unable to locate credentials)",
        CREDENTIALS,
    ),
    "half of them": (
        botocore.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        "the AWS credentials are incomplete (Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY)",
        CREDENTIALS,
    ),
    "an unknown profile": (
        botocore.ProfileNotFound(profile="shop"),
        "the AWS profile does not exist (The config profile (shop) could not be found)",
        "correct AWS_PROFILE, or write that profile",
    ),
    "a process that gives none": (
        botocore.CredentialRetrievalError(provider="custom-process", error_msg="exit 1"),
        "the AWS credentials could not be fetched (Error when retrieving credentials from custom-process: exit 1)",
        LOG_IN,
    ),
    "a login that has ended": (
        botocore.TokenRetrievalError(provider="sso", error_msg="Token has expired and refresh failed"),
        "the AWS login has ended (Error when retrieving token from sso: Token has expired and refresh failed)",
        LOG_IN,
    ),
    "no login yet": (
        botocore.SSOTokenLoadError(error_msg="Token for shop does not exist"),
        "the AWS single sign-on has no valid session (Error loading SSO Token: Token for shop does not exist)",
        LOG_IN,
    ),
    "no login of the console": (
        botocore.LoginTokenLoadError(error_msg="none"),
        "the AWS login has no valid session (Error loading login session token: none)",
        "log in again (`aws login`)",
    ),
    "no machine that gives any": (
        botocore.MetadataRetrievalError(error_msg="timed out"),
        "the AWS credentials could not be fetched (Error retrieving metadata: timed out)",
        CREDENTIALS,
    ),
    "no region": (botocore.NoRegionError(), "there is no AWS region (You must specify a region.)", REGION),
    "no such region": (
        botocore.InvalidRegionError(region_name="eu_central"),
        "the AWS region is no region (Provided region_name 'eu_central' doesn't match a supported format.)",
        REGION,
    ),
    "no address": (
        ValueError("Invalid endpoint: localhost:8000"),
        "the address of AWS is none (Invalid endpoint: localhost:8000)",
        "correct AWS_ENDPOINT_URL",
    ),
    "nobody there": (
        botocore.EndpointConnectionError(endpoint_url=URL),
        f'AWS cannot be reached (Could not connect to the endpoint URL: "{URL}")',
        NETWORK,
    ),
    "no connection in time": (
        botocore.ConnectTimeoutError(endpoint_url=URL),
        f'AWS cannot be reached (Connect timeout on endpoint URL: "{URL}")',
        NETWORK,
    ),
    "no answer in time": (
        botocore.ReadTimeoutError(endpoint_url=URL),
        f'AWS does not answer (Read timeout on endpoint URL: "{URL}")',
        NETWORK,
    ),
    "a connection that ends": (
        botocore.ConnectionClosedError(endpoint_url=URL),
        f'AWS does not answer (Connection was closed before we received a valid response from endpoint URL: "{URL}".)',
        NETWORK,
    ),
    "a proxy that is not trusted": (
        botocore.SSLError(endpoint_url=URL, error="self-signed certificate"),
        f"the connection to AWS is not trusted (SSL validation failed for {URL} self-signed certificate)",
        "where a proxy looks into connections, set AWS_CA_BUNDLE to its certificates; else look at the clock",
    ),
    "somebody else's page": (
        ResponseParserError("Unable to parse response, invalid XML received"),
        "what answers is not AWS (Unable to parse response, invalid XML received)",
        NETWORK,
    ),
    "a broken config": (
        botocore.ConfigParseError(path="/home/me/.aws/config"),
        "the AWS client cannot be used so (Unable to parse config file: /home/me/.aws/config)",
        CLIENT,
    ),
}

GONE = "Requested resource not found: Table: shop not found"
ANSWERED = {
    "expired": (
        answer("ExpiredTokenException", "The security token included in the request is expired"),
        "the AWS credentials have expired (The security token included in the request is expired)",
        LOG_IN,
    ),
    "unknown": (
        answer("UnrecognizedClientException", "The security token included in the request is invalid."),
        "AWS does not know these credentials (The security token included in the request is invalid.)",
        INVALID,
    ),
    "a wrong secret": (
        answer("InvalidSignatureException", "The request signature we calculated does not match\nthe signature."),
        "AWS does not know these credentials (The request signature we calculated does not match the signature.)",
        INVALID,
    ),
    "a clock that is late": (
        answer(
            "InvalidSignatureException",
            "Signature expired: 20260301T100000Z is now earlier than ... (20260301T102000Z - 5 min.)",
        ),
        "the clocks differ (Signature expired: 20260301T100000Z is now earlier than ... (20260301T102000Z - 5 min.))",
        CLOCK,
    ),
    "a clock that is early": (
        answer("SignatureDoesNotMatch", "Signature not yet current: 20260301T120000Z is still later than ..."),
        "the clocks differ (Signature not yet current: 20260301T120000Z is still later than ...)",
        CLOCK,
    ),
    "a clock far off": (
        answer("RequestTimeTooSkewed", "The difference is too large.", 403),
        "the clocks differ (The difference is too large.)",
        CLOCK,
    ),
    "a right that is missing": (
        answer(
            "AccessDeniedException",
            f"{WHO} is not authorized to perform: dynamodb:PutItem on resource: {TABLE} "
            "because no identity-based policy allows the dynamodb:PutItem action",
        ),
        f"these credentials may not dynamodb:PutItem on {TABLE}",
        grant("dynamodb:PutItem"),
    ),
    "a right without a resource": (
        answer("AccessDeniedException", f"{WHO} is not authorized to perform: events:PutRule"),
        "these credentials may not events:PutRule",
        grant("events:PutRule"),
    ),
    "a right that is denied": (
        answer(
            "AccessDeniedException",
            f"{WHO} is not authorized to perform: dynamodb:PutItem on resource: {TABLE} "
            "with an explicit deny in a service control policy",
        ),
        f"a policy denies dynamodb:PutItem on {TABLE} to these credentials",
        "whoever keeps that policy (of the role, its boundary, or the organization) must let it through",
    ),
    "a role that is not for this job": (
        answer("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403),
        "the role is not given to who asks for it (Not authorized to perform sts:AssumeRoleWithWebIdentity)",
        "name the repository and its environment in the role's trust: the lists of subjects of terraform/",
    ),
    "an account without GitHub": (
        answer("InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://..."),
        "AWS does not take the token of the CI job (No OpenIDConnect provider found in your account for https://...)",
        "the account needs the OIDC provider of GitHub, which terraform/ makes",
    ),
    "a refusal without a reason": (
        answer("AccessDeniedException", ""),
        "these credentials may not do it ()",
        grant("it"),
    ),
    "throttled": (
        answer("ThrottlingException", "Rate exceeded"),
        "AWS throttles the calls, again and again (Rate exceeded)",
        LATER,
    ),
    "too much for the table": (
        answer("ProvisionedThroughputExceededException", ""),
        "AWS throttles the calls, again and again (ProvisionedThroughputExceededException)",
        LATER,
    ),
    "broken": (
        answer("InternalServerError", "try again", 500),
        "AWS has a failure of its own, again and again (try again)",
        BROKEN,
    ),
    "broken without a name": (
        answer("502", "Bad Gateway", 502),
        "AWS has a failure of its own, again and again (Bad Gateway)",
        BROKEN,
    ),
    "missing": (answer("ResourceNotFoundException", GONE), f"it does not exist ({GONE})", MISSING),
    "changed at this moment": (
        answer("ConflictException", "inconsistent"),
        "somebody else changes it at this moment (inconsistent)",
        "run it again",
    ),
    "a quota": (
        answer("ServiceQuotaExceededException", "no more"),
        "a limit of the account is reached (no more)",
        "have the quota raised",
    ),
    "a full bucket": (
        answer("ItemCollectionSizeLimitExceededException", "Collection size exceeded."),
        "a bucket of the table is full: it holds 10 GB (Collection size exceeded.)",
        "make a table with more buckets (terraform/), and apply into that",
    ),
    "anything else": (
        answer("ValidationException", "The role must allow\nScheduler to assume the role."),
        "AWS answers ValidationException: The role must allow Scheduler to assume the role.",
        "`slowsched doctor` looks for what is wrong",
    ),
}
ALL = NEVER_ANSWERED | ANSWERED


@pytest.mark.parametrize("name", ALL)
def test_each_failure_says_what_happened_and_the_way_out(name):
    """One sentence, one way out."""
    error, what, way_out = ALL[name]
    assert explained(error) == Failure(what=what, way_out=way_out)


@pytest.mark.parametrize("error", [KeyError("Items"), TypeError("x"), ValueError("x"), ConnectionError("x")])
def test_a_fault_of_the_program_is_not_explained_away(error):
    """What is no exception of botocore is let through as it is."""
    with pytest.raises(type(error)), aws_errors(StoreError, "read the table 'shop'"):
        raise error
    assert explained(error) is None


def test_what_the_caller_sees_is_an_error_of_its_own_kind():
    """The message says what could not be done; the exception of botocore is its cause."""
    cause = botocore.NoCredentialsError()
    with pytest.raises(TimerError) as raised, aws_errors(TimerError, "arm the rule 'wake'"):
        raise cause
    assert (raised.value.message, raised.value.hint, raised.value.__cause__) == (
        "cannot arm the rule 'wake': there are no AWS credentials (Unable to locate credentials)",
        CREDENTIALS,
        cause,
    )


@pytest.mark.parametrize("error", [StoreError("already said"), UsageError("already said")])
def test_what_is_said_already_is_not_said_again(error):
    """An error of slowsched passes."""
    with pytest.raises(type(error)) as raised, aws_errors(TimerError, "arm the rule 'wake'"):
        raise error
    assert raised.value is error


def test_which_answers_mean_missing_and_which_denied():
    """Two questions that others ask."""
    assert [name for name, (error, *_) in ALL.items() if is_missing(error)] == ["missing"]
    assert [name for name, (error, *_) in ALL.items() if is_denied(error)] == [
        "a right that is missing",
        "a right without a resource",
        "a right that is denied",
        "a role that is not for this job",
        "a refusal without a reason",
    ]
