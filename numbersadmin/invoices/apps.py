"""Wiring at start: the checklist of a month and its FOCUS file know nothing of invoices, so these add themselves."""

from django.apps import AppConfig


class InvoicesConfig(AppConfig):
    """Tells the costs how a month stands with its invoices."""

    name = "numbersadmin.invoices"

    def ready(self) -> None:
        from numbersadmin.costs import services
        from numbersadmin.invoices import selectors

        services.MORE.append(selectors.on_checklist)
        services.INVOICES.append(selectors.reference)
