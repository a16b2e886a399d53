"""Addresses of the available pages."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
