"""Addresses of the front page, the go-to box, the probes and the sandbox's page."""

from django.urls import path

from numbersadmin.overview import go_views, views

urlpatterns = [
    path("", views.overview, name="overview"),
    path("go/", go_views.go, name="go"),
    path("go/list/", go_views.go_list, name="go-list"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("sandbox/", views.sandbox, name="sandbox"),
    path("styleguide/", views.styleguide, name="styleguide"),
]
