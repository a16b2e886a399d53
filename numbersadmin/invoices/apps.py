"""Wiring at start: the checklist of a month and its FOCUS file know nothing of invoices, so these add themselves."""

from django.apps import AppConfig


class InvoicesConfig(AppConfig):
    """Tells the costs how a month stands with its invoices."""

    name = "numbersadmin.invoices"

    def ready(self) -> None:
        from numbersadmin.costs import services
        from numbersadmin.invoices import standing

        services.MORE.append(standing.on_checklist)
        services.INVOICES.append(standing.reference)
