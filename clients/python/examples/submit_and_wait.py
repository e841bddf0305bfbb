"""Submits a small Python application and waits for its end:

    pip install ./clients/python
    python clients/python/examples/submit_and_wait.py SUBMISSION:7401 root.demo nightly-1

The last argument is the idempotency key: run it again with the same one, and it tells the same
application.
"""

import sys

from moka.submission.v1 import application_pb2, spec_pb2
from moka.submission.v1.submission_service_pb2 import SubmitApplicationRequest
from moka_client import Client

MIB = 1024 * 1024


def request(queue, idempotency_key):
    """What to run."""
    return SubmitApplicationRequest(
        project="examples",
        idempotency_key=idempotency_key,
        spec=spec_pb2.ApplicationSpec(
            type=spec_pb2.APPLICATION_TYPE_PYTHON,
            image="localhost/moka-spark:4.0.1",
            main_application_file="local:///opt/moka/examples/report.py",
            spark_version="4.0.1",
            driver=spec_pb2.DriverSpec(cpu_request_millicores=100, memory_bytes=512 * MIB),
            executor=spec_pb2.ExecutorSpec(
                instances=1, cpu_request_millicores=100, memory_bytes=512 * MIB
            ),
            queue=queue,
        ),
    )


def main(target, queue, idempotency_key):
    """Gives the exit code."""
    with Client(target, user_agent="submit-and-wait") as client:
        accepted = client.submit(request(queue, idempotency_key))
        print(accepted.application_id, "accepted", flush=True)
        ended = client.wait(accepted.application_id)
        print(ended.application_id, application_pb2.ApplicationState.Name(ended.state))
        if ended.state == application_pb2.APPLICATION_STATE_SUCCEEDED:
            return 0
        print(client.explain(ended.application_id).summary, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
