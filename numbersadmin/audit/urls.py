"""Addresses of the audit log."""

from django.urls import path

from numbersadmin.audit import views

urlpatterns = [
    path("", views.log, name="audit"),
    path("export.csv", views.export_csv, name="audit-export"),
]
