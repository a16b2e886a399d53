"""`settle [--now]`: one sweep over the orders in the foreground."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from numbersadmin import web
from numbersadmin.orders import services
from numbersadmin.provider.client import get_provider


class Command(BaseCommand):
    """Carries out what is approved and looks for what is unknown."""

    help = "Carry out approved items and look for unknown outcomes that are due."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--now", action="store_true", help="look for all unknown outcomes, due or not")

    def handle(self, *args: Any, now: bool, **options: Any) -> None:
        with web.acting("cli"):
            swept = services.sweep(provider=get_provider(), clock=timezone.now, at_once=now)
        self.stdout.write(
            f"{swept.executed} carried out, {swept.looked} looked for,"
            f" {swept.expired} expired, {swept.abandoned} found without an answer"
        )
        if swept.problem:
            self.stderr.write(f"trouble with the provider: {swept.problem.text or swept.problem.kind}")
