"""`demo_data`: five people and 14 months of history, only with the sandbox."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from numbersadmin.overview import demo
from numbersadmin.overview.sandbox_control import SandboxSaysNo
from numbersadmin.provider.errors import ProviderError


class Command(BaseCommand):
    """Exit code 0 also when everything is there already; 1 with a real provider or without an answer."""

    help = "Make demo people and demo data with the sandbox. Does nothing when they are there."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.SANDBOX:
            raise CommandError("Demo data is made only with the sandbox, and INFOBIP_BASE_URL is set.")
        try:
            demo.make(now=timezone.now(), say=self.say)
        except demo.DemoNotMade as no:
            self.say(str(no))
        except SandboxSaysNo as no:
            raise CommandError(f"{no} Demo data needs it; the next start goes on from here.") from no
        except ProviderError as problem:
            raise CommandError(
                f"The sandbox failed: {problem}. The next start goes on from here."
            ) from problem
        except KeyboardInterrupt:
            raise CommandError("Interrupted. The next start goes on from here.") from None

    def say(self, line: str) -> None:
        """Show how far it is at once, also when the output goes into a file."""
        self.stdout.write(line)
        self.stdout.flush()
