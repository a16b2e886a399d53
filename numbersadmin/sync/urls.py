"""Addresses of the sync pages."""

from django.urls import path

from numbersadmin.sync import drift_views, views

urlpatterns = [
    path("", views.runs, name="sync"),
    path("start/", views.start, name="sync-start"),
    path("<int:run_id>/", views.run, name="sync-run"),
    path("<int:run_id>/held/", views.held, name="sync-held"),
    path("<int:run_id>/held/decide/", views.decide_held, name="sync-held-decide"),
    path("drift/", drift_views.drift, name="sync-drift"),
    path("drift/accept/", drift_views.accept, name="sync-accept"),
    path("drift/watch/", drift_views.watch, name="sync-watch"),
    path("drift/adopt/", drift_views.adopt, name="sync-adopt"),
    path("drift/gone/", drift_views.gone, name="sync-gone"),
]
