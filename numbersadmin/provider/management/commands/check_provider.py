"""Try the configured address, both prefixes and the credentials, and say what to set."""

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from numbersadmin.provider.check import advice, knock
from numbersadmin.provider.client import get_provider


class Command(BaseCommand):
    """check_provider: exit code 0 if the configuration works, 1 if not."""

    help = "Tries the provider's credentials and both prefixes with one harmless GET each."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Knock at each prefix and print what came."""
        self.stdout.write(settings.INFOBIP_BASE_URL)
        knocks = knock(get_provider, settings.INFOBIP_PREFIX)
        for each in knocks:
            self.stdout.write(f"  {each.line}")
        works, sentence = advice(knocks, settings.INFOBIP_PREFIX)
        if works:
            self.stdout.write(sentence)
            return
        self.stderr.write(sentence)
        sys.exit(1)
