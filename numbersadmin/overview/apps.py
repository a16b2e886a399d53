"""Wiring at start: the Celery application has to be known wherever a task is enqueued."""

from django.apps import AppConfig


class OverviewConfig(AppConfig):
    """Loads the Celery application with Django."""

    name = "numbersadmin.overview"

    def ready(self) -> None:
        from numbersadmin import celery  # noqa: F401
