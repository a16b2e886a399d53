"""`python -m numbersadmin.sandbox`: starts the imitated provider and ends it on TERM or Ctrl-C."""

import argparse
import signal
import sys
import threading
from types import FrameType

from numbersadmin.sandbox.server import Options, Sandbox, listening_address
from numbersadmin.sandbox.stock import DEFAULT_SEED
from numbersadmin.sandbox.store import StoreError

MOST = 1_000_000  # numbers of each kind; the number ranges hold more than twice as many


def options(arguments: list[str]) -> Options:
    """What the command line says; a wrong one ends the program with a line that says why."""
    parser = argparse.ArgumentParser(
        prog="python -m numbersadmin.sandbox",
        description="An imitation of the provider, for trying and testing.",
    )
    parser.add_argument("--bind", default="127.0.0.1:0", metavar="HOST:PORT", help="port 0 = any free one")
    parser.add_argument("--file", default=":memory:", metavar="PATH", help="where its state is kept")
    parser.add_argument("--owned", type=_amount, default=300, metavar="N", help="owned numbers of a new file")
    parser.add_argument(
        "--available", type=_amount, default=5000, metavar="N", help="numbers for sale of a new file"
    )
    parser.add_argument("--api-key", default="sandbox")
    parser.add_argument("--username", default="sandbox")
    parser.add_argument("--password", default="sandbox")
    parser.add_argument("--rate-limits", choices=("on", "off"), default="off")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, metavar="N", help="same seed, same numbers")
    given = parser.parse_args(arguments)
    try:
        host, port = listening_address(given.bind)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    return Options(
        host=host,
        port=port,
        file=given.file,
        owned=given.owned,
        available=given.available,
        api_key=given.api_key,
        username=given.username,
        password=given.password,
        rate_limits=given.rate_limits == "on",
        seed=given.seed,
    )


def _amount(text: str) -> int:
    amount = int(text)
    if not 0 <= amount <= MOST:
        raise ValueError(text)
    return amount


def main(arguments: list[str]) -> int:
    """Serve until told to end."""
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()
        if not serving:  # still making numbers: nothing has been promised to anybody
            raise SystemExit(0)

    serving: threading.Thread | None = None
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        sandbox = Sandbox(options(arguments))
    except (StoreError, OSError) as error:
        sys.stderr.write(f"sandbox: cannot start: {error}\n")
        return 1
    serving = threading.Thread(target=sandbox.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    serving.start()
    sys.stdout.write(f"sandbox listening on {sandbox.url}\n")
    sys.stdout.flush()
    ended.wait()
    sandbox.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
