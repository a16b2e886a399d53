"""Address of the search for numbers that are for sale."""

from django.urls import path

from numbersadmin.available import views

urlpatterns = [path("", views.search, name="available")]
