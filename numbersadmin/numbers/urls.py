"""Addresses of the numbers pages."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
