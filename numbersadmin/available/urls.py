"""Addresses of the search for numbers that are for sale, and of ordering the first so many of it."""

from django.urls import path

from numbersadmin.available import ask_views, views

urlpatterns = [
    path("", views.search, name="available"),
    path("order/", views.order_first, name="available-order"),
    path("ask/<int:number_id>/", ask_views.ask, name="ask-for-number"),
    path("asked/", ask_views.asked_for, name="asked-for"),
    path("asked/<int:ask_id>/", ask_views.answer, name="answer-ask"),
]
