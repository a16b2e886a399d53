"""`verify_audit`: prove that nothing in the audit log before the last seal was changed, removed or inserted."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from numbersadmin.audit import seal

NO_SEAL = 2


class Command(BaseCommand):
    """Exit code 0: every seal holds. 1: something was changed. 2: there is no seal yet."""

    help = "Prove that nothing in the audit log before the last seal was changed, removed or inserted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--seal",
            default="",
            metavar="SHA256",
            help="a digest from a mail or a close pack, that a seal must have",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        proof = seal.verify_and_tell(timezone.now(), anchor=options["seal"].strip().lower())
        if proof.problems:
            advice = (
                "Compare with a backup, and find out who could write to the database past the application."
            )
            raise CommandError("\n".join([*proof.problems, advice]))
        if not proof.last:
            raise CommandError("There is no seal yet, so nothing can be proven.", returncode=NO_SEAL)
        self.stdout.write(
            f"{proof.events} events under {proof.seals} seals are as they were sealed. The last is seal"
            f" {proof.last.number} of {proof.last.at:%Y-%m-%d %H:%M} UTC, {proof.last.sha256}."
        )
