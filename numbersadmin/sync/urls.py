"""Addresses of the sync pages."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
