"""Addresses of the search for numbers that are for sale, and of ordering the first so many of it."""

from django.urls import path

from numbersadmin.available import views

urlpatterns = [
    path("", views.search, name="available"),
    path("order/", views.order_first, name="available-order"),
]
