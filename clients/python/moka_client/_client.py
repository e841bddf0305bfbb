"""The client: submit, wait, watch."""

import random
import time

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from moka.submission.v1 import application_pb2
from moka.submission.v1 import submission_service_pb2 as messages
from moka.submission.v1 import submission_service_pb2_grpc as services

#: What may pass by itself.
_MAY_PASS = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}
_FINAL = {
    application_pb2.APPLICATION_STATE_SUCCEEDED,
    application_pb2.APPLICATION_STATE_FAILED,
    application_pb2.APPLICATION_STATE_CANCELLED,
}
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 10.0
#: A pause that the service asks for is taken up to this by a watch, which has no end to its patience.
_LONGEST_ASKED_PAUSE_SECONDS = 300.0
#: Where google.rpc.Status is in the trailer.
_DETAILS = "grpc-status-details-bin"


class Expired(Exception):
    """The cursor is older than the events that are kept: a snapshot follows."""


def final(application):
    """Whether an application has ended."""
    return application.state in _FINAL


class Client:
    """A client of the service at `host:port`.

    `credentials` are those of `grpc.ssl_channel_credentials()`; without them the connection is
    plain. `deadline_seconds` is that of a single call, `patience_seconds` how long a call is
    repeated in all.
    """

    def __init__(
        self,
        target,
        *,
        credentials=None,
        user_agent="moka-client-python",
        deadline_seconds=10.0,
        patience_seconds=60.0,
    ):
        options = [
            ("grpc.primary_user_agent", user_agent),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.max_receive_message_length", 64 * 1024 * 1024),
        ]
        if credentials is None:
            self._channel = grpc.insecure_channel(target, options)
        else:
            self._channel = grpc.secure_channel(target, credentials, options)
        self.stub = services.SubmissionServiceStub(self._channel)
        self._deadline_seconds = deadline_seconds
        self._patience_seconds = patience_seconds

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the connection."""
        self._channel.close()

    def submit(self, request):
        """Submits an application, and gives it, new or as an earlier call made it."""
        return self._call(self.stub.SubmitApplication, request).application

    def get(self, application_id):
        """One application."""
        request = messages.GetApplicationRequest(application_id=application_id)
        return self._call(self.stub.GetApplication, request).application

    def cancel(self, application_id, reason="", force=False):
        """Asks for the end of an application."""
        request = messages.CancelApplicationRequest(
            application_id=application_id, reason=reason, force=force
        )
        return self._call(self.stub.CancelApplication, request).application

    def explain(self, application_id):
        """Why an application is not running, or why it failed."""
        request = messages.ExplainApplicationRequest(application_id=application_id)
        return self._call(self.stub.ExplainApplication, request).explanation

    def list(self, **conditions):
        """Every application that matches the fields of a ListApplicationsRequest."""
        request = messages.ListApplicationsRequest(**conditions)
        while True:
            page = self._call(self.stub.ListApplications, request)
            yield from page.applications
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def watch(self, **conditions):
        """Steps of a watch with the fields of a WatchApplicationsRequest, for ever.

        Goes on at the last cursor over broken connections and restarts. When the service no longer
        knows the cursor, an `Expired` is given in place of a step, and a snapshot follows.
        """
        request = messages.WatchApplicationsRequest(**conditions)
        failures = 0
        while True:
            asked_seconds = 0.0
            try:
                for step in self.stub.WatchApplications(request):
                    failures = 0
                    if step.cursor:
                        request.cursor = step.cursor
                    yield step
            except grpc.RpcError as error:
                if error.code() == grpc.StatusCode.OUT_OF_RANGE and request.cursor:
                    request.cursor = ""
                    yield Expired(error.details())
                    continue
                if error.code() not in _MAY_PASS:
                    raise
                asked_seconds = min(_asked_seconds(error), _LONGEST_ASKED_PAUSE_SECONDS)
            time.sleep(_pause_seconds(failures, asked_seconds))
            failures += 1

    def wait(self, application_id):
        """Waits until an application has ended, for as long as that takes, and gives it."""
        for step in self.watch(application_id=application_id):
            if isinstance(step, Expired):
                continue
            kind = step.WhichOneof("step")
            if kind == "snapshot" and final(step.snapshot):
                return step.snapshot
            if kind == "change" and final(step.change.application):
                return step.change.application

    def _call(self, method, request):
        begun = time.monotonic()
        failures = 0
        while True:
            try:
                return method(request, timeout=self._deadline_seconds)
            except grpc.RpcError as error:
                pause = _pause_seconds(failures, _asked_seconds(error))
                waited = time.monotonic() - begun
                if error.code() not in _MAY_PASS or waited + pause > self._patience_seconds:
                    raise
            time.sleep(pause)
            failures += 1


def _pause_seconds(failures, asked_seconds):
    """Doubles with each failure, give or take a quarter; never shorter than the service asks for."""
    pause = min(_FIRST_PAUSE_SECONDS * 2 ** min(failures, 10), _LONGEST_PAUSE_SECONDS)
    return max(pause * random.uniform(0.75, 1.25), asked_seconds)


def _asked_seconds(error):
    """How long the service asks to wait (google.rpc.RetryInfo); 0 when it does not say."""
    for key, value in error.trailing_metadata() or ():
        if key != _DETAILS:
            continue
        try:
            details = status_pb2.Status.FromString(value).details
            for detail in details:
                info = error_details_pb2.RetryInfo()
                if detail.Unpack(info):
                    return max(info.retry_delay.ToTimedelta().total_seconds(), 0.0)
        except (DecodeError, OverflowError, ValueError):
            # Whatever it is, it is no pause.
            return 0.0
    return 0.0
