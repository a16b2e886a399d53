"""The provider client as a Django app: it has commands, and no tables."""

from django.apps import AppConfig


class ProviderConfig(AppConfig):
    """The provider's number API."""

    name = "numbersadmin.provider"
