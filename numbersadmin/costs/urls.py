"""Addresses of the costs pages."""

from django.urls import path

from numbersadmin.costs import bridge_views, note_views, views

urlpatterns = [
    path("", views.index, name="costs"),
    path("numbers/<int:number_id>/", views.number, name="costs-number"),
    path("<str:month>/", views.month, name="costs-month"),
    path("<str:month>/lines/", views.lines, name="costs-lines"),
    path("<str:month>/bridge/", bridge_views.part, name="costs-bridge"),
    path("<str:month>/forecast/", bridge_views.forecast, name="costs-forecast"),
    path("<str:month>/notes/add/", note_views.add, name="costs-note-add"),
    path("notes/<int:note_id>/", note_views.change, name="costs-note"),
    path("notes/<int:note_id>/remove/", note_views.remove, name="costs-note-remove"),
    path("<str:month>/export.csv", views.export_csv, name="costs-export"),
]
