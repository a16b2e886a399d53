"""Addresses of the costs pages."""

from django.urls import path

from numbersadmin.costs import views

urlpatterns = [
    path("", views.index, name="costs"),
    path("numbers/<int:number_id>/", views.number, name="costs-number"),
    path("<str:month>/", views.month, name="costs-month"),
    path("<str:month>/lines/", views.lines, name="costs-lines"),
    path("<str:month>/export.csv", views.export_csv, name="costs-export"),
]
