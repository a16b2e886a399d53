"""Addresses of the pages of owned numbers."""

from django.urls import path

from numbersadmin.numbers import acquired_views, list_views, views

urlpatterns = [
    path("", list_views.list_numbers, name="numbers"),
    path("columns/", list_views.columns, name="number-columns"),
    path("views/new/", list_views.save_view, name="save-view"),
    path("views/<int:view_id>/", list_views.change_view, name="saved-view"),
    path("views/<int:view_id>/delete/", list_views.delete_view, name="delete-view"),
    path("<int:number_id>/acquired/", acquired_views.acquired, name="number-acquired"),
    path("<int:number_id>/protect/", views.protect, name="protect-number"),
    path("<int:number_id>/edit/", views.edit, name="edit-number"),
    path("+<str:digits>/", views.by_number, name="number-by-digits"),
]
