"""Addresses of the sync pages."""

from django.urls import path

from numbersadmin.sync import views

urlpatterns = [
    path("", views.runs, name="sync"),
    path("start/", views.start, name="sync-start"),
    path("<int:run_id>/", views.run, name="sync-run"),
]
