"""Addresses of the pages of owned numbers."""

from django.urls import path

from numbersadmin.numbers import acquired_views, views

urlpatterns = [
    path("", views.list_numbers, name="numbers"),
    path("<int:number_id>/acquired/", acquired_views.acquired, name="number-acquired"),
    path("<int:number_id>/protect/", views.protect, name="protect-number"),
    path("<int:number_id>/edit/", views.edit, name="edit-number"),
    path("+<str:digits>/", views.by_number, name="number-by-digits"),
]
