"""`sync [--json]`: one reading of the purchased list now, in the foreground."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from numbersadmin import web
from numbersadmin.provider.client import get_provider
from numbersadmin.sync import selectors, services, words
from numbersadmin.sync.models import RunStatus

EXIT = {RunStatus.COMPLETE: 0, RunStatus.GUARDED: 2}  # everything else: 1


class Command(BaseCommand):
    """Exit code 0: complete; 1: incomplete, failed or one is running already; 2: held for a person."""

    help = (
        "Read the provider's whole list of purchased numbers now, compare it with our records and apply it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the run as JSON to standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with web.acting("cli"):
                run = services.run_sync(provider=get_provider(), actor=None, clock=timezone.now)
            line, code = words.line(run), EXIT.get(RunStatus(run.status), 1)
        except services.AlreadyRunning as running:
            run, code = running.run, 1
            line = f"{running} Nothing was started; {run.pages} pages are read so far."
        except KeyboardInterrupt:
            self.stderr.write("Interrupted. What was read before stays; the next sync goes on from there.")
            raise SystemExit(1) from None
        if options["json"]:
            self.stdout.write(json.dumps(selectors.run_json(run)))
        self.stderr.write(line)
        if code:
            raise SystemExit(code)
