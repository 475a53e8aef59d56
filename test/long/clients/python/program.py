"""What the Python programs have in common: the task in, the answer out, tokens, and the pace of the steady step."""
import base64
import faulthandler
import json
import os
import sys
import time
import urllib.parse
import urllib.request


def main(steps):
    """Reads the task, carries it out, prints the answer, and ends whatever threads a library leaves behind."""
    task = json.loads(sys.stdin.readline())
    # Where it hangs is said before it is killed.
    faulthandler.dump_traceback_later(task["timeoutMs"] / 1000 + 10)
    answer = getattr(steps, task["step"])(task)
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
    sys.stdout.flush()
    os._exit(0)


def fetch_token(auth):
    """Client credentials (RFC 6749 4.4). Returns the token and when it ends, in seconds since 1970."""
    basic = base64.b64encode(f"{auth['clientId']}:{auth['clientSecret']}".encode()).decode()
    body = urllib.parse.urlencode({"grant_type": "client_credentials"}).encode()
    request = urllib.request.Request(auth["tokenUrl"], body, {"Authorization": f"Basic {basic}"})
    with urllib.request.urlopen(request, timeout=10) as response:
        answer = json.load(response)
    return answer["access_token"], time.time() + answer["expires_in"]


def decoded(text):
    return base64.b64decode(text)


def encoded(data):
    return base64.b64encode(data or b"").decode()


def headers_in(record):
    return [(name, decoded(value)) for name, value in record["headers"]]


def headers_out(headers):
    return [[name, encoded(value)] for name, value in headers or []]


def paced(task, send, serve):
    """Calls send(index) at the task's pace, and serve(seconds) in between."""
    begun = time.monotonic()
    for index in range(task["count"]):
        due = begun + index * task["intervalMs"] / 1000
        while time.monotonic() < due:
            serve(max(0.0, min(0.02, due - time.monotonic())))
        send(index)


def deadline_of(task):
    return time.monotonic() + task["timeoutMs"] / 1000


def refusal(work):
    """What the work was refused with; `none` where it was not."""
    try:
        work()
    except Exception as error:  # the answer is what it says
        return words_of(error)
    return "none"


def words_of(error):
    words = f"{type(error).__name__}: {error}"
    return words if error.__cause__ is None else f"{words} | {words_of(error.__cause__)}"
