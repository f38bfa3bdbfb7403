"""What schemathesis cannot read from the description: our formats, and which refusals of valid input are rightful."""

import datetime
import itertools

import schemathesis
from hypothesis import strategies as st

days = st.dates(datetime.date(1900, 1, 1))
schemathesis.openapi.format("date", days.map(str))
schemathesis.openapi.format(
    "date-time", st.datetimes(datetime.datetime(1900, 1, 1)).map(lambda at: at.replace(microsecond=0).isoformat() + "Z")
)
schemathesis.openapi.format("time-zone", st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"]))
schemathesis.openapi.format("locale", st.sampled_from(["en", "de-AT", "zh-Hant-TW", "pt-BR"]))

keys = itertools.count()
tokens = []


@schemathesis.hook
def before_call(context, case, kwargs):
    """A key is for one request: with the few that are made up again and again, hardly any command would be carried out."""
    if case.meta.generation.mode.is_positive and "idempotency-key" in (case.headers or {}):
        case.headers["idempotency-key"] = f"key-{next(keys)}"
    if case.meta.generation.mode.is_positive and "consistency-token" in (case.headers or {}) and tokens:
        case.headers["consistency-token"] = tokens[-1]  # nobody can make one up


@schemathesis.hook
def after_call(context, case, response):
    """Keeps the newest token that a write answered."""
    tokens[:] = response.headers.get("consistency-token", tokens)


# Rejections of the domain, which depend on what there is, not on how the request looks. And what becomes of If-Match:
# where its pattern wants quotes, schemathesis makes them, takes the value for JSON, and sends it without.
RIGHTFUL = {"unknown-category", "weak-password", "cursor-mismatch", "invalid-if-match"}


@schemathesis.check
def valid_input_is_accepted(ctx, response, case):
    """Stricter than positive_data_acceptance with 422 allowed: only what no schema can say may be refused."""
    if not case.meta.generation.mode.is_positive or response.status_code not in (400, 415, 422):
        return
    problem = response.json()
    pointers = [error["pointer"] for error in problem.get("errors", [])]
    if problem["code"] in RIGHTFUL or pointers in (["/query/cursor"], ["/headers/consistency-token"]):
        return
    # A step before it answered nothing to put into the address, and schemathesis put None.
    if "/None" in problem["instance"]:
        return
    raise AssertionError(f"valid input was refused: {problem['code']} {problem.get('errors')}")
