"""The Celery application: worker and beat read the same settings as the web."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "numbersadmin.settings")

app = Celery("numbersadmin")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
